package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/history/ledger"
	"squall/internal/atomicfile"
	"squall/internal/plain"
	"squall/orchestrator/testplan"
	"squall/reports"
	"squall/reports/archive"
)

func (a *app) zipCommand() *cobra.Command {
	var out, to string
	cmd := &cobra.Command{
		Use:   "zip [RUN|CAMPAIGN]",
		Short: "Pack a run or a campaign into one file that opens anywhere",
		Long: `Pack everything that a run or a campaign recorded, its pages included, into one
zip file. Its pages need no server and no network, and squall reads the run when
it is unpacked. RUN is a run directory, a number from squall list runs, or latest
(default); CAMPAIGN is the folder of a campaign.`,
		Example: `  squall zip
  squall zip runs/campaigns/nightly/20261101T020000Z --to nightly.zip`,
		Args:              oneArg,
		ValidArgsFunction: completeRuns,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.zip(cmd.Context(), args, out, to) },
	}
	cmd.Flags().StringVar(&out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringVar(&to, "to", "", "the file to write; default: here, named as the run")
	return cmd
}

func (a *app) zip(ctx context.Context, args []string, out, to string) error {
	dir, page, err := zipped(args, out)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	name := archive.Name(filepath.ToSlash(absolute))
	if to == "" {
		to = name + ".zip"
	}
	err = atomicfile.Stream(to, 0o644, func(w io.Writer) error { return archive.Pack(ctx, w, root, ".", name) })
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	plain.Fprintf(a.out, "wrote    %s (%.1f MB)\n", to, float64(info.Size())/1e6)
	plain.Fprintf(a.out, "open     %s/%s, when it is unpacked\n", name, page)
	return nil
}

// zipped is the folder that the arguments name, and the page that shows it.
func zipped(args []string, out string) (dir, page string, err error) {
	if len(args) == 1 {
		if _, err := os.Stat(filepath.Join(args[0], ledger.FileName)); err == nil {
			return args[0], reports.IndexFile, nil
		}
	}
	dir, err = findRun(out, args)
	return dir, reports.ReportFile, err
}
