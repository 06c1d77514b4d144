package goclient

import _ "embed"

var (
	//go:embed goclient.go
	goclientGo string
	//go:embed lines.go
	linesGo string
)

// Sources are this package's files, by the slashed paths that they have in a module
// where the package is in that folder.
func Sources(folder string) map[string]string {
	return map[string]string{folder + "/goclient.go": goclientGo, folder + "/lines.go": linesGo}
}
