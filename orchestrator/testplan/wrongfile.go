package testplan

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"squall/history"
)

// maxFile bounds a test file or a campaign file, in bytes.
const maxFile = 4 << 20

// ReadText reads a file of settings that a user named, such as "test file". What
// is none, because it is a folder or a program, is refused with what it is and what
// to do with it. Pipes are read: they may come from a shell.
func ReadText(path, what string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a %s; %s", path, what, insteadOf(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w (`squall init` writes an example)", what, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the %s: %w", what, err)
	case bytes.IndexByte(text, 0) >= 0 || !startsAsText(text):
		return nil, fmt.Errorf("%s is not text, so it is not a %s; %s", path, what, insteadOf(path))
	case filepath.Base(path) == PlanFile:
		return nil, fmt.Errorf("%s is the plan of a run, not a %s; `squall run --plan %s` replays it", path, what, Quote(path))
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s has more than %d MiB, so it is not a %s; `squall init` writes an example", path, maxFile>>20, what)
	}
	return text, nil
}

// startsAsText reports whether a file begins with UTF-8, or with a mark that says
// in what else it is written.
func startsAsText(text []byte) bool {
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return true
	}
	for head := text[:min(len(text), 512)]; len(head) > 0; {
		r, size := utf8.DecodeRune(head)
		if r == utf8.RuneError && size == 1 && utf8.FullRune(head) {
			return false
		}
		head = head[size:]
	}
	return true
}

// insteadOf says what to do with what is no file of settings.
func insteadOf(path string) string {
	switch {
	case holdsRun(path):
		return fmt.Sprintf("it holds a run: `squall check %s` checks it again, and `squall run --plan %[1]s` replays its faults", Quote(path))
	case filepath.Base(path) == history.FileName:
		return fmt.Sprintf("it is a history: `squall check %s` checks it", Quote(path))
	}
	return "name a YAML file: `squall init` writes an example"
}

// campaignKeys are keys of campaign files that no test file has.
var campaignKeys = []string{"test", "matrix", "include", "seeds"}

// refuseCampaign says that a file is one of a campaign, where it has such keys.
func refuseCampaign(name string, root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		for _, key := range campaignKeys {
			if root.Content[i].Value == key {
				return &FileErrors{name, []FileError{*MistakeAt(root.Content[i],
					"this is a campaign file, since it has the key %q: `squall campaign %s` runs it", key, Quote(name))}}
			}
		}
	}
	return nil
}

// noRun says that there is no run of that name, and what to do: where there is
// none at all, to run a test.
func noRun(out, name string) error {
	runs, err := ListRuns(out)
	if err == nil && len(runs) == 0 {
		if name == latestLink || runNumber(name) > 0 {
			return fmt.Errorf("there are no runs in %s yet: `squall run` makes one, and --out names another folder of runs", out)
		}
		return fmt.Errorf("there is no run %q: %s does not hold a %s or a %s, and there are no runs in %s yet: "+
			"`squall run` makes one, and --out names another folder of runs", name, name, PlanFile, history.FileName, out)
	}
	return fmt.Errorf("there is no run %q: neither it nor %s holds a %s or a %s (`squall list runs%s` shows what there is)",
		name, filepath.Join(out, name), PlanFile, history.FileName, outFlag(out))
}

// trialsNotRun is the error for election trials where a run of a test is wanted.
func trialsNotRun(dir string) error {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	return fmt.Errorf("%s is a run of election trials, not of a test: `squall elections --from %s` checks and shows it", dir, Quote(dir))
}

// outFlag is the flag that names a folder of runs, "" where it is the usual one.
func outFlag(out string) string {
	if out == DefaultTest().Out {
		return ""
	}
	return " --out " + Quote(out)
}
