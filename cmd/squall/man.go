package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages into a folder",
		Long: `Write a man page for squall and each of its commands into a folder, such as
~/.local/share/man/man1. Their date is SOURCE_DATE_EPOCH or that of the commit
that squall was built from, so that the same squall writes the same pages.`,
		Args: exactlyOne("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error { return writeMan(cmd.Root(), args[0]) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
}

func writeMan(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the man pages: %w", err)
	}
	date, err := builtAt(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return usageError(err)
	}
	root.DisableAutoGenTag = true // it has the date of today
	header := &doc.GenManHeader{Title: "SQUALL", Section: "1", Source: "squall " + version, Manual: "squall", Date: &date}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("write the man pages: %w", err)
	}
	return nil
}

// builtAt is the date of this squall: that of SOURCE_DATE_EPOCH, of its commit,
// or, where neither is known, the beginning of Unix time.
func builtAt(epoch string) (time.Time, error) {
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: expected seconds since 1970, found %q", epoch)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at.UTC(), nil
			}
		}
	}
	return time.Unix(0, 0).UTC(), nil
}
