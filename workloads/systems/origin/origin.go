// Package origin is where the programs of a system written in Go come from: the server is
// built at a version, or given, or out of an image; the client is built of sources that
// squall carries, or given.
package origin

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/systems/goclient"
)

// The parameters by which a user chooses.
const (
	Version = "version"
	Binary  = "binary"
	Image   = "image"
	Client  = "client"
)

// Params are those parameters. Version is the default one, and builds says which can be
// built; image is an example of an image.
func Params(version, builds, image string) declare.Params {
	return declare.Params{
		{Name: Version, Kind: declare.Text, Default: version, Doc: builds},
		{Name: Binary, Kind: declare.Text, Doc: "a program to take instead, on this computer"},
		{Name: Image, Kind: declare.Text, Doc: "an image to take the program from instead, such as " + image + "; NAME:/PATH where it is elsewhere"},
		{Name: Client, Kind: declare.Text, Doc: "the client program, where it cannot be built: on this computer"},
	}
}

// Check refuses two origins of the server.
func Check(a declare.Args) error {
	if a[Binary] != "" && a[Image] != "" {
		return &declare.Error{Param: Image, Err: fmt.Errorf("%s: the server is a program that is given (%s) or out of an image: name one of them", Image, Binary)}
	}
	return nil
}

// IsBuilt reports whether the server is built.
func IsBuilt(a declare.Args) bool { return a[Binary] == "" && a[Image] == "" }

// Server is the server's program, at that path in the machines. inImage is where the
// project's own images have it. Build is of a version without the v before it; what to do
// without building is added.
func Server(a declare.Args, at, inImage string, build func(version string) *files.Build) files.File {
	f := files.File{Path: at, Exec: true}
	switch {
	case a[Binary] != "":
		f.Source = a[Binary]
	case a[Image] != "":
		f.Image = imageOf(a[Image], inImage)
	default:
		f.Build = build(strings.TrimPrefix(a[Version], "v"))
		f.Build.Instead = fmt.Sprintf("give the program with %s=PATH, or an image that has it with %s=NAME", Binary, Image)
	}
	return f
}

// imageOf is the server in an image: where the project's own images have it, unless a path
// is given behind the image's name: store:1:/bin/server.
func imageOf(text, inImage string) *files.Image {
	if i := strings.LastIndex(text, ":/"); i > 0 && path.IsAbs(text[i+1:]) && !strings.HasPrefix(text[i+1:], "//") {
		return &files.Image{Reference: text[:i], Path: text[i+1:]}
	}
	return &files.Image{Reference: text, Path: inImage}
}

// ClientFiles are the client's program alone, at that path in the driver's machine.
func ClientFiles(a declare.Args, at string, build func() (*files.Build, error)) ([]files.File, error) {
	f := files.File{Path: at, Exec: true}
	if f.Source = a[Client]; f.Source == "" {
		var err error
		if f.Build, err = build(); err != nil {
			return nil, err
		}
	}
	return []files.File{f}, nil
}

// ClientBuild is a client program whose sources are embedded, in the folder _client. Name
// is what it is called to people.
func ClientBuild(name string, embedded fs.FS) (*files.Build, error) {
	sources, err := goclient.Module(embedded, "_client")
	if err != nil {
		return nil, fmt.Errorf("the sources of %s: %w", name, err)
	}
	return &files.Build{Name: name, Package: ".", Sources: sources,
		Instead: fmt.Sprintf("give a client program that was built before with %s=PATH", Client)}, nil
}
