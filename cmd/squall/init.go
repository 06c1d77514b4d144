package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"squall/internal/plain"
)

//go:embed examples/test.yaml
var exampleTest []byte

//go:embed examples/campaign.yaml
var exampleCampaign []byte

//go:embed examples/system.yaml
var exampleSystem []byte

// schemaFolder holds the schemas that the examples point their editor at.
const schemaFolder = ".squall"

func (a *app) initCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR | system [DIR]]",
		Short: "Write commented examples: test.yaml and campaign.yaml, or system.yaml",
		Long: `Write commented examples that run as they are: test.yaml, campaign.yaml, and in
.squall/ the schemas with which an editor completes and checks them. Existing
files are left alone.

"squall init system" writes a system.yaml instead: the description of a system
of yours, to be changed before it runs. (A folder of that name: ./system)`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "system" {
				args = args[1:]
			}
			return oneArg(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			kind := ""
			if len(args) > 0 && args[0] == "system" {
				kind, args = args[0], args[1:]
			}
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.writeExamples(dir, kind, force)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite existing files")
	return cmd
}

// example is a file that init writes.
type example struct {
	name string
	text []byte
	own  bool // squall's own: written anew without asking
}

// examples are those of tests, or of the kind "system".
func examples(kind string) ([]example, error) {
	files := []example{{name: "test.yaml", text: exampleTest}, {name: "campaign.yaml", text: exampleCampaign}}
	schemas := []string{"test", "campaign"}
	if kind == "system" {
		files, schemas = []example{{name: "system.yaml", text: exampleSystem}}, []string{"system"}
	}
	for _, name := range schemas {
		text, err := schemaText(name)
		if err != nil {
			return nil, err
		}
		files = append(files, example{name: filepath.Join(schemaFolder, name+".schema.json"), text: text, own: true})
	}
	return files, nil
}

// writeExamples writes the examples of a kind.
func (a *app) writeExamples(dir, kind string, force bool) error {
	files, err := examples(kind)
	if err != nil {
		return err
	}
	if err := writeAll(dir, files, force); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if kind == "system" {
		plain.Fprintf(a.out, "wrote    %s\n", at("system.yaml"))
		plain.Fprintf(a.out, "change   what stands there: its comments tell what it means\n")
		plain.Fprintf(a.out, "look     %s doctor %s\n", a.program, at("system.yaml"))
		plain.Fprintf(a.out, "test     %s run --system %s\n", a.program, at("system.yaml"))
		return nil
	}
	plain.Fprintf(a.out, "wrote    %s and %s\n", at("test.yaml"), at("campaign.yaml"))
	plain.Fprintf(a.out, "try      %s run %s\n", a.program, at("test.yaml"))
	plain.Fprintf(a.out, "and      %s campaign %s\n", a.program, at("campaign.yaml"))
	return nil
}

// writeAll writes all files or, when one is in the way, none.
func writeAll(dir string, files []example, force bool) error {
	if err := wantFolder(filepath.Join(dir, schemaFolder)); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		info, err := os.Lstat(path)
		switch {
		case err == nil && info.IsDir():
			return usageError(fmt.Errorf("%s is a folder, and the example of that name cannot be written: move it away, or take another folder", path))
		case err == nil && !force && !f.own:
			return usageError(fmt.Errorf("%s already exists and was left alone; use another folder, or --force to overwrite it", path))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return cannotWrite(dir, err)
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return cannotWrite(dir, err)
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return cannotWrite(dir, err)
		}
	}
	return nil
}

// wantFolder refuses a path that cannot become a folder, since it or what is
// above it is something else.
func wantFolder(path string) error {
	for at := path; ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil {
			if !info.IsDir() {
				return usageError(fmt.Errorf("%s is a file, and the examples need a folder there: move it away, or name another folder: squall init DIR", at))
			}
			return nil
		}
		if _, err := os.Lstat(at); err == nil {
			return usageError(fmt.Errorf("%s is a link that leads nowhere, and the examples need a folder there: remove it, or name another folder: squall init DIR", at))
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// cannotWrite says where the examples could not be written, why, and what to do.
func cannotWrite(dir string, err error) error {
	where := dir
	if path := new(fs.PathError); errors.As(err, &path) {
		where, err = path.Path, path.Err
	}
	err = fmt.Errorf("the examples cannot be written to %s: %w at %s; name a folder that can be written to: squall init DIR", dir, err, where)
	if errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return usageError(err)
}
