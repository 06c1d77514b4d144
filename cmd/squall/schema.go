package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"squall/orchestrator/campaign"
	"squall/workloads/systems/systemfile"
)

// schemas are the files of squall that have a JSON Schema.
var schemas = map[string]func() *jsonschema.Schema{
	"test": campaign.TestSchema, "campaign": campaign.FileSchema, "system": systemfile.Schema,
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema test|campaign|system",
		Short: "Print the JSON Schema of test, campaign or system files, for editors",
		Long: `Print the JSON Schema (draft 2020-12) of test files, campaign files or the files
that describe systems, with which editors complete and check them. The YAML language server is told so in
the file's first line, as squall init does:

  # yaml-language-server: $schema=.squall/campaign.schema.json`,
		Args:      exactlyOne("test, campaign or system"),
		ValidArgs: []string{"test", "campaign", "system"},
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := schemaText(args[0])
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
}

// schemaText is a schema as a file.
func schemaText(name string) ([]byte, error) {
	make, ok := schemas[name]
	if !ok {
		var names []string
		for n := range schemas {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, usageError(fmt.Errorf("there is no schema of %q; there are: %s", name, strings.Join(names, ", ")))
	}
	plain, err := json.Marshal(make())
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, plain, "", "  "); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}
