package files

import (
	"testing"
)

// TestOrigins: what is made before a test is refused where it could not be, and is not
// looked for before.
func TestOrigins(t *testing.T) {
	build := func(change func(*Build)) File {
		b := &Build{Name: "etcd 1", Package: "example.test/etcd/main", Requires: []Module{{"example.test/etcd", "v1.2.3-rc.1"}}}
		change(b)
		return File{Path: "/opt/etcd", Build: b, Exec: true}
	}
	image := func(reference, path string) File {
		return File{Path: "/opt/etcd", Image: &Image{reference, path}, Exec: true}
	}
	const digest = "quay.io/x/y@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		file File
		want string
	}{
		"built":                 {file: build(func(*Build) {})},
		"an image":              {file: image("quay.io/coreos/etcd:v3.6.8", "/usr/local/bin/etcd")},
		"an image by digest":    {file: image(digest, "/etcd")},
		"nothing":               {File{Path: "/opt/etcd"}, "/opt/etcd in the machines: no file on this computer is named for it"},
		"two origins":           {File{Path: "/opt/etcd", Source: "x", Image: &Image{"x", "/x"}}, "/x of the image x (/opt/etcd in the machines): it is said more than once"},
		"no package":            {build(func(b *Build) { b.Package = "" }), "etcd 1 (/opt/etcd in the machines): it is to be built, and no package is named"},
		"a package as a flag":   {build(func(b *Build) { b.Package = "-toolexec=x" }), `"-toolexec=x" is no package`},
		"no modules":            {build(func(b *Build) { b.Requires = nil }), "nothing says of which modules"},
		"modules twice":         {build(func(b *Build) { b.Sources = map[string]string{"go.mod": "", "go.sum": ""} }), "say it once"},
		"no sums":               {build(func(b *Build) { b.Sources = map[string]string{"go.mod": ""} }), "one of go.mod and go.sum"},
		"a source outside":      {build(func(b *Build) { b.Sources = map[string]string{"../main.go": ""} }), `"../main.go" is no path of a source`},
		"no exact version":      {build(func(b *Build) { b.Requires[0].Version = "latest" }), `"latest" is no version of example.test/etcd: write it in full, such as v1.2.3`},
		"half a version":        {build(func(b *Build) { b.Requires[0].Version = "v1.2" }), "no version"},
		"more than a version":   {build(func(b *Build) { b.Requires[0].Version = "v1.2.3\nreplace x => y" }), "no version"},
		"more than a module":    {build(func(b *Build) { b.Requires[0].Path = "x y" }), `"x y" is no path of a module`},
		"no image":              {image("", "/etcd"), `"" is no name of an image`},
		"an image of two words": {image("a b", "/etcd"), `"a b" is no name of an image`},
		"no path in the image":  {image("x", "etcd"), `"etcd" is no path of a file in the image`},
		"the image's root":      {image("x", "/"), `"/" is no path of a file in the image`},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, Check([]File{tc.file}, "amd64"), tc.want) })
	}
	if _, err := later(t).Take(t.Context(), []File{build(func(*Build) {})}, "amd64"); err == nil {
		t.Error("what was not built was taken")
	}
	// A program that is not there yet may need another file, and be one's interpreter.
	script := File{Path: "/opt/run", Source: source(t, []byte("#!/opt/etcd\n"), 0o755), Exec: true}
	wantError(t, Check([]File{script, build(func(*Build) {})}, "amd64"), "")
}
