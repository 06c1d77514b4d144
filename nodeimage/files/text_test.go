package files

import "testing"

// TestTexts: a text is held like what a file on this computer holds, and refused as that is.
func TestTexts(t *testing.T) {
	s := later(t)
	config := File{Path: "/etc/config", Text: "one"}
	set := take(t, s, config, File{Path: "/etc/copy", Source: source(t, []byte("one"), 0o644)}, File{Path: "/opt/other", Text: "other"})
	held := set.Files()
	if len(held) != 3 || content(t, held[0]) != "one" || held[0].Size != 3 || held[0].Kept != held[1].Kept || content(t, held[2]) != "other" {
		t.Errorf("it holds %+v", held)
	}
	if again := take(t, s, config).Files()[0]; again != held[0] {
		t.Errorf("the second time it holds %+v, the first time %+v", again, held[0])
	}
	for name, tc := range map[string]struct {
		list []File
		want string
	}{
		"a script":                {[]File{{Path: "/opt/run", Text: "#!/opt/sh\n", Exec: true}, {Path: "/opt/sh", Source: source(t, amd64(""), 0o755), Exec: true}}, ""},
		"a script for nobody":     {[]File{{Path: "/opt/run", Text: "#!/opt/sh\n", Exec: true}}, "/opt/run in the machines: "},
		"no program":              {[]File{{Path: "/opt/run", Text: "hello", Exec: true}}, "neither a program for Linux (ELF) nor a script"},
		"a file besides the text": {[]File{{Path: "/etc/config", Text: "x", Source: "y"}}, "said more than once"},
		"too large":               {[]File{{Path: "/etc/config", Text: string(make([]byte, MaxBytes+1))}}, "MiB are possible"},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, Check(tc.list, "amd64"), tc.want) })
	}
}
