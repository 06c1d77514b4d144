package main

import (
	"embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"squall/internal/plain"
)

//go:embed examples/new
var newFiles embed.FS

// newNames are the files that new writes, by their names among the examples. Those in Go are
// texts there, or they would be packages of squall.
var newNames = map[string]string{
	"README.md":     "README.md",
	"go.mod.txt":    "go.mod",
	"server.go.txt": "server/main.go",
	"client.go.txt": "client/main.go",
	"system.yaml":   "system.yaml",
	"test.yaml":     "test.yaml",
	"campaign.yaml": "campaign.yaml",
	"workflow.yml":  ".github/workflows/storm.yml",
}

func (a *app) newCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Write what a Raft of your own needs to be tested: it runs as written",
		Long: `Write a folder with all that a Raft of your own needs to be tested: a client in
Go, system.yaml, a test, a campaign, a workflow for CI, and a server that stands
in for yours. It runs as written; then put your server in the stand-in's place.
The folder's name becomes that of the system.`,
		Example: `  squall new mynode
  cd mynode && CGO_ENABLED=0 go build -o bin/ ./server ./client
  squall run test.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(fmt.Errorf("new takes the folder to write, such as: %s new mynode", a.program))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.writeNew(args[0], force) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite existing files")
	return cmd
}

// systemName is what a system may be called.
var systemName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (a *app) writeNew(dir string, force bool) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	name := filepath.Base(absolute)
	if !systemName.MatchString(name) {
		return usageError(fmt.Errorf("%s: the folder's name becomes that of the system: small letters, digits and dashes, a letter first", plain.Excerpt(name)))
	}
	files, err := newExamples(name)
	if err != nil {
		return err
	}
	if err := writeAll(dir, files, force); err != nil {
		return err
	}
	plain.Fprintf(a.out, "wrote    %s\n", filepath.Join(dir, "README.md")+" and what it tells about")
	plain.Fprintf(a.out, "build    cd %s && CGO_ENABLED=0 go build -o bin/ ./server ./client\n", dir)
	plain.Fprintf(a.out, "look     %s doctor system.yaml\n", a.program)
	plain.Fprintf(a.out, "test     %s run test.yaml\n", a.program)
	return nil
}

// newExamples are the files of new for a system of that name.
func newExamples(name string) (files []example, err error) {
	for from, to := range newNames {
		text, err := newFiles.ReadFile("examples/new/" + from)
		if err != nil {
			return nil, err
		}
		files = append(files, example{name: filepath.FromSlash(to), text: []byte(strings.ReplaceAll(string(text), "NAME", name))})
	}
	for _, kind := range []string{"test", "campaign", "system"} {
		text, err := schemaText(kind)
		if err != nil {
			return nil, err
		}
		files = append(files, example{name: filepath.Join(schemaFolder, kind+".schema.json"), text: text, own: true})
	}
	return files, nil
}
