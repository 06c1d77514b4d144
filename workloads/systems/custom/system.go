package custom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/listappend"
	"squall/workloads/systems"
)

// dataFolder is what a machine keeps.
const dataFolder = "/data"

// System is the system under test that a description describes.
type System struct {
	*base
	parts []any
}

var (
	_ systems.System       = System{}
	_ systems.Composed     = System{}
	_ systems.FileProvider = System{}
)

// base is what every such system has.
type base struct {
	def  *Definition
	made *compiled
	run  Run
}

// Run is what clients know of the test beside the description.
type Run struct {
	Args  declare.Args   // of all parameters; nil: the defaults
	Nodes []systems.Node // of the cluster
}

// New makes a system of its description. The zero Run is one for whom there are no
// clients. The error has every mistake of the description, each a Problem.
func New(def *Definition, run Run) (System, error) {
	made := def.compile()
	if len(made.problems) > 0 {
		return System{}, join(made.problems)
	}
	b := &base{def: def, made: made, run: run}
	b.run.Args = b.Params().Fill(run.Args, nil)
	s := System{base: b}
	switch {
	case made.program != nil:
		s.parts = append(s.parts, programmer{b})
	default:
		s.parts = append(s.parts, dialer{b})
	}
	if def.Trace {
		s.parts = append(s.parts, tracer{})
	}
	if def.Election != nil {
		s.parts = append(s.parts, timer{def.Election})
	}
	if len(made.log) > 0 {
		s.parts = append(s.parts, logReader(made.log))
	}
	if made.ready != nil {
		s.parts = append(s.parts, readier{b})
	}
	return s, nil
}

// Parts are what the system can do.
func (s System) Parts() []any { return s.parts }

// Name is that of the description.
func (b *base) Name() string { return b.def.Name }

// Describe is one line for people.
func (b *base) Describe() string {
	return cmp.Or(b.def.Description, "a system that a file describes")
}

// Params are those that the description declares.
func (b *base) Params() declare.Params {
	var all declare.Params
	for _, p := range b.def.Parameters {
		param := declare.Param{Name: p.Name, Kind: declare.Text, Default: p.Default, Doc: cmp.Or(p.Doc, "the variable ${"+p.Name+"} of the description")}
		if len(p.Choices) > 0 {
			param.Kind, param.Words = declare.Word, p.Choices
		}
		all = append(all, param)
	}
	return all
}

// nodeValues are the variables that tell of a node.
func (b *base) nodeValues(node systems.Node, a declare.Args) vars {
	v := vars{}
	maps.Copy(v, a)
	v["id"], v["name"], v["addr"] = strconv.Itoa(node.ID), node.Name, node.Addr.String()
	for name, port := range b.def.Server.Ports {
		v["port."+name] = strconv.Itoa(port)
	}
	return v
}

// Server fills in the command.
func (b *base) Server(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error) {
	v := b.nodeValues(node, a)
	var peers, others []string
	members, first := cluster.Nodes, cluster.Nodes[0]
	if cluster.Joining != nil {
		members = cluster.Joining
		if i := slices.IndexFunc(members, func(n systems.Node) bool { return n.ID != node.ID }); i >= 0 {
			first = members[i] // whom it can ask to be let in
		}
	}
	for _, n := range members {
		text := b.made.peer.expand(b.nodeValues(n, a), nil)
		peers = append(peers, text)
		if n.ID != node.ID {
			others = append(others, text)
		}
	}
	separator := cmp.Or(b.def.Server.Separator, ",")
	v["peers"], v["others"] = strings.Join(peers, separator), strings.Join(others, separator)
	v["data"], v["nodes"], v["first.addr"] = dataFolder, strconv.Itoa(len(members)), first.Addr.String()
	command := b.made.command
	switch {
	case cluster.Joining != nil && b.made.join != nil:
		command = b.made.join
	case cluster.Joining == nil && node.ID == cluster.Nodes[0].ID && b.made.first != nil:
		command = b.made.first // which makes the cluster, and makes it once
	}
	return systems.Start{Argv: expandAll(command, v), Env: expandEnv(b.made.env, v), Dir: b.made.folder.expand(v, nil)}, nil
}

func expandAll(all []template, v vars) []string {
	texts := make([]string, len(all))
	for i, t := range all {
		texts[i] = t.expand(v, nil)
	}
	return texts
}

func expandEnv(env map[string]template, v vars) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name].expand(v, nil))
	}
	return all
}

// Files are what the machine of a server holds.
func (b *base) Files(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	programs := []string{b.def.Server.Command[0]}
	for _, other := range [][]string{b.def.Server.First, b.def.Server.Join} {
		if len(other) > 0 {
			programs = append(programs, other[0])
		}
	}
	return b.lay(b.made.files, programs, "the description", a)
}

// tracer is a part of a system whose servers write a trace.
type tracer struct{}

// WritesTrace marks a systems.Tracer.
func (tracer) WritesTrace() {}

// timer is a part of a system that says how long its servers do without a leader.
type timer struct{ e *Election }

// ElectionTimeout is what the description says.
func (t timer) ElectionTimeout(declare.Args) (shortest, longest time.Duration) {
	return time.Duration(t.e.Shortest), time.Duration(t.e.Longest)
}

// logReader is a part of a system whose servers' output tells who leads.
type logReader []systems.LogPattern

// LogPatterns are those of the description.
func (l logReader) LogPatterns() []systems.LogPattern { return l }

// programmer is a part of a system whose clients are a program.
type programmer struct{ *base }

var _ systems.ClientProgrammer = programmer{}

// ClientProgram is that program.
func (p programmer) ClientProgram(a declare.Args) systems.Program {
	v := vars(a)
	from := p.def.Client.Program
	return systems.Program{Argv: expandAll(p.made.program.command, v), Env: expandEnv(p.made.program.env, v), Workloads: from.Workloads,
		Leader: from.Leader, Members: from.Members, Replicas: from.Replicas}
}

// ClientFiles are what the driver's machine holds for it.
func (p programmer) ClientFiles(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	return p.lay(p.made.program.files, []string{p.def.Client.Program.Command[0]}, "client.program", a)
}

// dialer is a part of a system whose clients are made here.
type dialer struct{ *base }

var _ systems.Dialer = dialer{}

// Dial connects to one node.
func (d dialer) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	port := d.made.store.at()
	if node.Port != 0 {
		port = strconv.Itoa(int(node.Port))
	}
	conn, err := d.made.store.open(ctx, hostOf(node), port, d.nodeValues(node, d.run.Args))
	if err != nil {
		return nil, err
	}
	return d.client(conn, node), nil
}

// hostOf is the node's address as it stands in a URL.
func hostOf(node systems.Node) string {
	if node.Addr.Is6() {
		return "[" + node.Addr.String() + "]"
	}
	return node.Addr.String()
}

// client is a client on that connection.
func (d dialer) client(conn backend, node systems.Node) systems.Client {
	c := client{conn}
	if d.def.Leader == nil {
		return c
	}
	names := map[string]string{}
	for _, n := range d.run.Nodes {
		for _, text := range expandAll(d.made.names, d.nodeValues(n, d.run.Args)) {
			names[text] = n.Name
		}
	}
	return leaderClient{client: c, is: d.def.Leader.Is, node: node.Name, names: names}
}

// Prototype has the functions of the store.
func (d dialer) Prototype() systems.Client {
	return d.client(prototype{d.made.store}, systems.Node{})
}

// prototype is a backend that is connected to nothing.
type prototype struct{ store }

func (prototype) call(context.Context, string, vars) (reply, error) { return reply{}, errPrototype }

func (prototype) transact(context.Context, []listappend.Op) ([][]string, error) {
	return nil, errPrototype
}

func (prototype) leader(context.Context) (history.Value, error) { return history.None, errPrototype }

func (prototype) close() {}

var errPrototype = &systems.Error{Certain: true, Lost: true, Err: fmt.Errorf("a prototype is connected to nothing")}
