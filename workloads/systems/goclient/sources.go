package goclient

import (
	_ "embed"
	"io/fs"
	"strings"
)

var (
	//go:embed goclient.go
	goclientGo string
	//go:embed lines.go
	linesGo string
)

// Module are the sources of a client program: the files of an embedded folder, and this
// package's in the folder "goclient" beside them. The folder's go.mod and go.sum are called
// go.mod.txt and go.sum.txt, because files of another module are not embedded.
func Module(embedded fs.FS, folder string) (map[string]string, error) {
	sources := map[string]string{"goclient/goclient.go": goclientGo, "goclient/lines.go": linesGo}
	entries, err := fs.ReadDir(embedded, folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(embedded, folder+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		sources[strings.TrimSuffix(e.Name(), ".txt")] = string(text)
	}
	return sources, nil
}
