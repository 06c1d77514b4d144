package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Help is set in lines of at most mostColumns, and of fewer where the terminal
// is narrower. Where there is none it is plainColumns.
const (
	plainColumns  = 80
	leastColumns  = 60
	mostColumns   = 110
	usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableLocalFlags}}

{{flagHelp .}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} [command] --help" tells more about a command.{{end}}
`
)

// setHelp makes the help of all commands fit the terminal.
func setHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("flagHelp", flagHelp)
	root.SetUsageTemplate(usageTemplate)
}

// columns is how wide help is printed.
func columns() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width <= 0 {
		return plainColumns
	}
	return min(max(width, leastColumns), mostColumns)
}
