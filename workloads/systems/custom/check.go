package custom

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"squall/internal/suggest"
	"squall/workloads/systems"
)

// Problem is a mistake in a description. At is where: the keys that lead there.
type Problem struct {
	At  []string
	Err error
}

func (p Problem) Error() string { return strings.Join(p.At, ".") + ": " + p.Err.Error() }

// namePattern is what systems and parameters may be called.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// longestName bounds the name of a system: folders of runs are called after it.
const longestName = 60

// compiled is a description that was made ready.
type compiled struct {
	command     []template
	first, join []template // in its place; nil: it is the same
	env         map[string]template
	folder      template
	peer        template
	files       []madeFile
	ready       *madeReady
	store       store // of clients; nil: they are a program
	http        *httpStore
	names       []template // what a node may be called by what tells the leader
	program     *madeProgram
	log         []systems.LogPattern

	problems []Problem
}

type madeReady struct {
	port   string
	http   *httpCall
	line   *regexp.Regexp // of its output; nil: it is asked
	within time.Duration
}

type madeProgram struct {
	command []template
	env     map[string]template
	files   []madeFile
}

// Check returns every mistake of a description, in no order.
func (d *Definition) Check() []Problem { return d.compile().problems }

// Check joins the mistakes into one error, where there are any.
func join(problems []Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// wrong notes a mistake.
func (c *compiled) wrong(err error, at ...string) { c.problems = append(c.problems, Problem{at, err}) }

// scope is a function that notes mistakes below a place. The key ".." leaves it.
func (c *compiled) scope(at ...string) func(err error, key ...string) {
	return func(err error, key ...string) {
		whole := slices.Clone(at)
		for _, k := range key {
			if k == ".." {
				whole = whole[:len(whole)-1]
			} else {
				whole = append(whole, k)
			}
		}
		c.wrong(err, whole...)
	}
}

func (d *Definition) compile() *compiled {
	c := &compiled{}
	switch {
	case d.Name == "":
		c.wrong(errors.New("a system needs a name"), "name")
	case !namePattern.MatchString(d.Name) || len(d.Name) > longestName:
		c.wrong(fmt.Errorf("expected small letters, digits and dashes, at most %d, found %q", longestName, cut(d.Name)), "name")
	}
	d.checkParameters(c)
	c.files = d.compileFiles(c, d.Files, "files")
	d.compileServer(c)
	d.compileReady(c)
	d.compileLog(c)
	d.compileClient(c)
	d.compileLeader(c)
	if e := d.Election; e != nil && (e.Shortest <= 0 || e.Longest < e.Shortest) {
		c.wrong(fmt.Errorf("expected a shortest timeout above 0 and a longest that is no shorter, found %v and %v",
			time.Duration(e.Shortest), time.Duration(e.Longest)), "election-timeout")
	}
	return c
}

// nodeVars are the variables that tell of a node.
func (d *Definition) nodeVars() []string {
	names := []string{"id", "name", "addr"}
	for port := range d.Server.Ports {
		names = append(names, "port."+port)
	}
	sort.Strings(names)
	return append(names, d.paramNames()...)
}

func (d *Definition) paramNames() []string {
	var names []string
	for _, p := range d.Parameters {
		names = append(names, p.Name)
	}
	return names
}

// clusterVars are those beside in the texts of Server.
func clusterVars() []string { return []string{"peers", "others", "data", "nodes", "first.addr"} }

// callVars are the variables of a function of clients.
func callVars(function string) []string {
	switch function {
	case fnWrite, fnCreate:
		return []string{"key", "value"}
	case fnCAS:
		return []string{"key", "value", "expect"}
	case fnAdd, fnAppend:
		return []string{"key", "element"}
	case fnAcquire:
		return []string{"key", "owner"}
	case fnRelease:
		return []string{"key", "owner", "token"}
	}
	return []string{"key"}
}

func (d *Definition) checkParameters(c *compiled) {
	taken := append(clusterVars(), "id", "name", "addr", "key", "value", "expect", "element", "owner", "token")
	for i, p := range d.Parameters {
		at := []string{"parameters", strconv.Itoa(i)}
		switch {
		case !namePattern.MatchString(p.Name):
			c.wrong(fmt.Errorf("expected a name of small letters, digits and dashes, found %q", cut(p.Name)), append(at, "name")...)
		case slices.Contains(taken, p.Name):
			c.wrong(fmt.Errorf("${%s} is something else already: give the parameter another name", p.Name), append(at, "name")...)
		}
		taken = append(taken, p.Name)
		if len(p.Choices) == 1 {
			c.wrong(errors.New("one choice is none: give two at least, or leave choices out"), append(at, "choices")...)
		}
		if len(p.Choices) > 1 && !slices.Contains(p.Choices, p.Default) {
			c.wrong(fmt.Errorf("expected one of %s, found %q", strings.Join(p.Choices, ", "), cut(p.Default)), append(at, "default")...)
		}
	}
}

func (d *Definition) compileServer(c *compiled) {
	s := &d.Server
	names := append(d.nodeVars(), clusterVars()...)
	c.command = compileCommand(c, s.Command, names, "server", "command")
	if len(s.First) > 0 {
		c.first = compileCommand(c, s.First, names, "server", "first-command")
	}
	if len(s.Join) > 0 {
		c.join = compileCommand(c, s.Join, names, "server", "join-command")
	}
	c.env = compileEnv(c, s.Env, names, "server", "env")
	one := func(text, key, otherwise string, names []string) template {
		if text == "" {
			text = otherwise
		}
		t, err := parseTemplate(text, names)
		if err != nil {
			c.wrong(err, "server", key)
		}
		return t
	}
	c.folder = one(s.Folder, "folder", dataFolder, names)
	c.peer = one(s.Peer, "peer", "${id}=${addr}", d.nodeVars())
	for name, port := range s.Ports {
		switch {
		case !namePattern.MatchString(name):
			c.wrong(fmt.Errorf("expected a name of small letters, digits and dashes, found %q", cut(name)), "server", "ports", name)
		case port < 1 || port > 65535:
			c.wrong(fmt.Errorf("expected a port from 1 to 65535, found %d", port), "server", "ports", name)
		}
	}
}

// compileCommand makes a command ready. Its program is known before any node is.
func compileCommand(c *compiled, argv []string, names []string, at ...string) []template {
	if len(argv) == 0 {
		c.wrong(errors.New("the command is missing: give the program's path in the machine, and its arguments"), at...)
		return nil
	}
	if !path.IsAbs(argv[0]) {
		c.wrong(fmt.Errorf("the program must be an absolute path in the machine, such as /opt/%s, found %q: a machine has no PATH", path.Base(cut(argv[0])), cut(argv[0])), append(at, "0")...)
	}
	made := make([]template, len(argv))
	for i, text := range argv {
		var err error
		if made[i], err = parseTemplate(text, names); err != nil {
			c.wrong(err, append(slices.Clone(at), strconv.Itoa(i))...)
		}
	}
	return made
}

func compileEnv(c *compiled, env map[string]string, names []string, at ...string) map[string]template {
	made := map[string]template{}
	for name, text := range env {
		var err error
		if made[name], err = parseTemplate(text, names); err != nil {
			c.wrong(err, append(slices.Clone(at), name)...)
		}
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.wrong(fmt.Errorf("%q is no name of a variable", cut(name)), append(slices.Clone(at), name)...)
		}
	}
	return made
}

// port finds a port: by its name, as a number, or the only one there is.
func (d *Definition) port(c *compiled, text string, at ...string) string {
	var names []string
	for name := range d.Server.Ports {
		names = append(names, name)
	}
	sort.Strings(names)
	if text == "" {
		if len(names) == 1 {
			return strconv.Itoa(d.Server.Ports[names[0]])
		}
		c.wrong(fmt.Errorf("it is not said at which port: server.ports has %d, so name one with port", len(names)), at...)
		return ""
	}
	if port, ok := d.Server.Ports[text]; ok {
		return strconv.Itoa(port)
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 1<<16 {
		return text
	}
	if len(names) == 0 {
		c.wrong(fmt.Errorf("there is no port %q: name it in server.ports, or write its number", cut(text)), append(at, "port")...)
	} else {
		c.wrong(fmt.Errorf("there is no port %q in server.ports, and it is no number; %s", cut(text), suggest.Among(text, names)), append(at, "port")...)
	}
	return ""
}
