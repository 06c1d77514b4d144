package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/internal/plain"
)

//go:embed examples/test.yaml
var exampleTest []byte

//go:embed examples/campaign.yaml
var exampleCampaign []byte

// schemaFolder holds the schemas that the examples point their editor at.
const schemaFolder = ".squall"

func (a *app) initCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write commented examples: test.yaml and campaign.yaml",
		Long: `Write commented examples that run as they are: test.yaml, campaign.yaml, and in
.squall/ the schemas with which an editor completes and checks them. Existing
files are left alone.`,
		Args: oneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return a.writeExamples(dir, force)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "write over files that are there")
	return cmd
}

// example is a file that init writes.
type example struct {
	name string
	text []byte
	own  bool // squall's own: written anew without asking
}

func examples() ([]example, error) {
	files := []example{{name: "test.yaml", text: exampleTest}, {name: "campaign.yaml", text: exampleCampaign}}
	for _, name := range []string{"test", "campaign"} {
		text, err := schemaText(name)
		if err != nil {
			return nil, err
		}
		files = append(files, example{name: filepath.Join(schemaFolder, name+".schema.json"), text: text, own: true})
	}
	return files, nil
}

// writeExamples writes all of them or, when one is in the way, none.
func (a *app) writeExamples(dir string, force bool) error {
	files, err := examples()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if _, err := os.Lstat(path); err == nil && !force && !f.own {
			return usageError(fmt.Errorf("%s is there already and was left alone; take another folder, or --force to write over it", path))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write the examples: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, schemaFolder), 0o755); err != nil {
		return fmt.Errorf("write the examples: %w", err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.text, 0o644); err != nil {
			return fmt.Errorf("write the examples: %w", err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	plain.Fprintf(a.out, "wrote    %s and %s\n", at("test.yaml"), at("campaign.yaml"))
	plain.Fprintf(a.out, "try      %s run %s\n", a.program, at("test.yaml"))
	plain.Fprintf(a.out, "and      %s campaign %s\n", a.program, at("campaign.yaml"))
	return nil
}
