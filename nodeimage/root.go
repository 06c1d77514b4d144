package nodeimage

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// modulePath is the module whose sources are looked for.
const modulePath = "squall"

// errNoSources is what FindRoot's error is.
var errNoSources = errors.New("squall's own sources, from which it builds its nodes, are not here")

// FindRoot finds the root directory of squall's own sources: the module that
// the current directory is in, or else the one that this program was compiled
// from.
func FindRoot() (string, error) {
	starts := []string{}
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	for _, start := range starts {
		if root, ok := rootAbove(start); ok {
			return root, nil
		}
	}
	return "", fmt.Errorf("%w: they are not in %s or above; run it inside a clone of its repository",
		errNoSources, strings.Join(starts, " or "))
}

func rootAbove(dir string) (string, bool) {
	for {
		if isModule(filepath.Join(dir, "go.mod")) == nil {
			// Another module may have the name; it has no node to build.
			if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(nodePackage))); err == nil {
				return dir, true
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// isModule is nil for the go.mod of squall itself.
func isModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "module" {
			if fields[1] == modulePath {
				return nil
			}
			return fmt.Errorf("%s is of module %s", file, fields[1])
		}
	}
	return errors.Join(lines.Err(), fmt.Errorf("%s names no module", file))
}
