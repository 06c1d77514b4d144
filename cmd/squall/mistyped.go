package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"squall/internal/suggest"
)

// unknownCommand names the command that was probably meant.
func unknownCommand(root *cobra.Command, name, program string) error {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if best := suggest.Nearest(name, names); best != "" {
		return fmt.Errorf("unknown command %q; did you mean `%s %s`?", name, program, best)
	}
	return fmt.Errorf("unknown command %q; `%s help` lists them", name, program)
}

// flagError says what to do about a flag that there is not: it names the one
// that was probably meant, or how to list them. Of a flag that there is, the
// error has said what was expected.
func flagError(cmd *cobra.Command, err error, command string) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if best := suggest.Nearest(unknown.GetSpecifiedName(), names); best != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, best)
	}
	return fmt.Errorf("%w (`%s --help` lists the flags)", err, command)
}
