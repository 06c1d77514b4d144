package programs

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"squall/nodeimage/files"
)

// Error is a program that cannot be had: it says why, and what to do.
type Error struct {
	Build *files.Build
	Err   error
	Hint  string // what to do about it; "" where the reason says it
}

func (e *Error) Error() string {
	text := fmt.Sprintf("building %s: %v", e.Build.Name, e.Err)
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	if e.Err == ErrNoGo {
		text += ": install Go (https://go.dev/dl)"
		if e.Build.Instead != "" {
			text += ", or " + e.Build.Instead
		}
	}
	return text
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// lastLines is how much of what a compiler printed an error quotes.
const lastLines = 12

// quoted are the last lines of what a compiler printed, without its progress.
func quoted(output string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(output), "\n") {
		if !strings.HasPrefix(line, "go: downloading ") && strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > lastLines {
		lines = append([]string{"…"}, lines[len(lines)-lastLines:]...)
	}
	return strings.Join(lines, "\n")
}

// What the go command prints when it cannot have something.
var (
	noAnswer = regexp.MustCompile(`dial tcp|no such host|i/o timeout|connection refused|network is unreachable|TLS handshake timeout|` +
		`module lookup disabled by GOPROXY=off|unexpected EOF`)
	newerGo = regexp.MustCompile(`requires go >= ?(\S+)|cannot be built with|go\.mod requires go`)
	sumsBad = regexp.MustCompile(`verifying |checksum mismatch|SECURITY ERROR`)
)

// explain says why a program could not be built.
func (b Builder) explain(ctx context.Context, build *files.Build, module string, failed *CompileError) error {
	e := &Error{Build: build, Err: fmt.Errorf("%w:\n%s", failed.Err, quoted(failed.Output))}
	instead := ""
	if build.Instead != "" {
		instead = "; or " + build.Instead
	}
	switch missing, found := notHad(build, failed.Output); {
	case noAnswer.MatchString(failed.Output):
		e.Hint = "the module proxy does not answer (" + proxy(ctx, module) + "): see that there is a network, or set GOPROXY to one that can be reached" + instead
	case found:
		e.Hint = fmt.Sprintf("%s cannot be had from the module proxy; %s%s", missing, versions(ctx, module, missing.Path), instead)
	case newerGo.MatchString(failed.Output):
		e.Hint = fmt.Sprintf("it needs another Go than %s: install that one, or let Go fetch it (GOTOOLCHAIN=auto)%s", version(), instead)
	case sumsBad.MatchString(failed.Output):
		e.Hint = "what the module proxy sent is not what the checksums say: see GOPROXY, GOSUMDB and GONOSUMDB" + instead
	case instead != "":
		e.Hint = strings.TrimPrefix(instead, "; or ")
	}
	return e
}

// notHad is the first of the modules that are required which the go command blames.
func notHad(build *files.Build, output string) (m files.Module, found bool) {
	for _, m := range build.Requires {
		if strings.Contains(output, "go: "+m.String()+": ") || strings.Contains(output, m.String()+": reading ") {
			return m, true
		}
	}
	return m, false
}

// askTimeout is how long the module proxy may take to say what there is.
const askTimeout = 20 * time.Second

// versions says which versions of a module can be had, as far as its proxy tells.
func versions(ctx context.Context, dir, module string) string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// Not in the program's own module, which asks for what is not there.
	empty := files.Build{Sources: map[string]string{"go.mod": "module squall.invalid/versions\n"}}
	dir = filepath.Join(filepath.Dir(dir), "versions")
	err := lay(&empty, dir)
	var output string
	if err == nil {
		output, err = goCommand(ctx, dir, nil, "list", "-mod=mod", "-m", "-versions", module)
	}
	_, list, found := strings.Cut(strings.TrimSpace(output), module+" ")
	if err != nil || !found {
		return "the proxy does not say which versions there are (some have one that their list leaves out)"
	}
	return "there are: " + strings.Join(strings.Fields(list), ", ")
}

// proxy is where modules come from.
func proxy(ctx context.Context, dir string) string {
	output, err := goCommand(ctx, dir, nil, "env", "GOPROXY")
	if err != nil {
		return "GOPROXY"
	}
	return "GOPROXY=" + strings.TrimSpace(output)
}
