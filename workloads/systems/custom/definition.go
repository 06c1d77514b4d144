package custom

import "time"

// Definition is a system under test as a file describes it. The keys in the file are the
// names in JSON; the tag doc is what an editor says of a key.
type Definition struct {
	Name        string      `json:"name" doc:"what the system is called, in reports and in the folder of runs: small letters, digits and dashes"`
	Description string      `json:"description,omitempty" doc:"one line for people"`
	Parameters  []Parameter `json:"parameters,omitempty" doc:"what can be given in parentheses: --system 'system.yaml(reads=quorum)'; each is a variable, ${reads}, in every template"`
	Files       []File      `json:"files,omitempty" doc:"what the machines of servers hold beside squall-node"`
	Server      Server      `json:"server" doc:"how a node starts"`
	Ready       *Ready      `json:"ready,omitempty" doc:"when a node that was started takes clients; without it, when an operation succeeds"`
	Leader      *Leader     `json:"leader,omitempty" doc:"how to find out who leads, so that faults can aim at the leader"`
	Log         Log         `json:"log,omitzero" doc:"lines of the servers' output that tell of leaders and elections, where there is no trace"`
	Election    *Election   `json:"election-timeout,omitempty" doc:"how long servers do without a leader before they elect one; clients wait for half of the shortest"`
	Trace       bool        `json:"trace,omitempty" doc:"the servers write Raft trace events (docs/trace.md)"`
	Client      Client      `json:"client" doc:"how clients speak to a node: one of http, redis and program"`
	// Folder is the folder of the file, absolute: sources are relative to it.
	Folder string `json:"folder,omitempty" yaml:"-"`
}

// Parameter is a text that a test may give.
type Parameter struct {
	Name    string   `json:"name" doc:"small letters, digits and dashes"`
	Default string   `json:"default" doc:"its value where none is given"`
	Doc     string   `json:"doc,omitempty" doc:"one line for people"`
	Choices []string `json:"choices,omitempty" doc:"the values that it may have; without them, any"`
}

// File is a file, or a folder of files, in machines: it is on this computer, or built, or
// out of an image.
type File struct {
	Path   string `json:"path" doc:"where it is in the machine, absolute: /opt/server"`
	Source string `json:"source,omitempty" doc:"the file or folder on this computer, relative to this file"`
	Build  *Build `json:"build,omitempty" doc:"a Go program that is built, through the Go module proxy, and kept"`
	Image  string `json:"image,omitempty" doc:"an image of containers that has the file: quay.io/coreos/etcd:v3.6.8"`
	From   string `json:"from,omitempty" doc:"the file's path in the image; not given: path"`
	// Exec is whether it is to be run; nil: if it is executable on this computer, or
	// is the program of a command.
	Exec *bool `json:"exec,omitempty" doc:"whether it is a program or a script; not given: if it is executable"`
}

// Build is a static program that is built of Go modules.
type Build struct {
	Package string   `json:"package" doc:"the path of the package: go.etcd.io/etcd/v3/contrib/raftexample"`
	Modules []string `json:"modules" doc:"the modules that it is in and that it needs, at exact versions: go.etcd.io/etcd/v3@v3.6.8"`
}

// Server is how a node starts. Every text is a template.
type Server struct {
	Command   []string          `json:"command" short:"" doc:"the program, an absolute path in the machine, and its arguments"`
	First     []string          `json:"first-command,omitempty" doc:"the command of the first node, where it is another"`
	Join      []string          `json:"join-command,omitempty" doc:"the command of a node that lost its disk and joins a cluster which runs, where it is another; ${peers} are the members then"`
	Env       map[string]string `json:"env,omitempty" doc:"environment variables; there are no others"`
	Folder    string            `json:"folder,omitempty" doc:"working directory; not given: /data, which keeps what is in it"`
	Ports     map[string]int    `json:"ports,omitempty" doc:"ports by name: ${port.client} is the one called client; nodes have addresses of their own, so all may use the same"`
	Peer      string            `json:"peer,omitempty" doc:"how a node is written in ${peers} and ${others}; not given: ${id}=${addr}"`
	Separator string            `json:"separator,omitempty" doc:"what stands between two of them; not given: a comma"`
}

// Ready is when a node takes clients. One of Port, HTTP and Log.
type Ready struct {
	Port string    `json:"port,omitempty" doc:"when it accepts a connection at this port"`
	HTTP *Question `json:"http,omitempty" doc:"when it answers this request well"`
	Log  string    `json:"log,omitempty" doc:"when a line of its output matches this regular expression"`
	// Within is how long it may take until all nodes are ready.
	Within Duration `json:"within,omitempty" doc:"how long it may take until all nodes are ready; not given: 20s"`
}

// Question is a request whose answer tells something of a node.
type Question struct {
	Port    string   `json:"port,omitempty" doc:"where it is sent to; not given: as the client's requests"`
	Request string   `json:"request" short:"" doc:"such as GET /health"`
	Status  Statuses `json:"status,omitempty" doc:"the statuses that count; not given: 200 and 204"`
}

// Leader is how to find out who leads.
type Leader struct {
	HTTP *LeaderHTTP `json:"http,omitempty" doc:"each node is asked over HTTP"`
	// Redis is a command whose answer tells.
	Redis *LeaderRedis `json:"redis,omitempty" doc:"each node is asked with a command of Redis"`
	// Is and Node say what is to be done with what was found.
	Is   string `json:"is,omitempty" doc:"the node that was asked leads if this is what was found"`
	Node string `json:"node,omitempty" doc:"the node leads of which this template gives what was found; not given: any of ${id}, ${name}, ${addr}"`
}

// LeaderHTTP is a request that asks a node who leads.
type LeaderHTTP struct {
	Question `doc:""`
	Place    `doc:""`
}

// LeaderRedis is a command that asks a node who leads.
type LeaderRedis struct {
	Command []string `json:"command" short:"" doc:"such as [INFO, raft]"`
	Pattern string   `json:"pattern,omitempty" doc:"regular expression over the answer; what its first group matches was found"`
}

// Log is what to look for in the output of servers. Each is a regular expression of Go;
// the groups (?P<term>…) and, of a leader, (?P<id>…) or (?P<node>…) say more.
type Log struct {
	Leader    []string `json:"leader,omitempty" doc:"lines that tell of a leader: of the server itself, or of the one in the group id or node"`
	Candidate []string `json:"candidate,omitempty" doc:"lines with which a server stands for election"`
	Follower  []string `json:"follower,omitempty" doc:"lines with which a server becomes a follower"`
}

// Election is how long servers do without a leader.
type Election struct {
	Shortest Duration `json:"shortest" doc:"the shortest election timeout"`
	Longest  Duration `json:"longest" doc:"the longest"`
}

// Client is how clients speak to a node.
type Client struct {
	HTTP    *HTTP    `json:"http,omitempty" doc:"over HTTP/1.1, as described here"`
	Redis   *Redis   `json:"redis,omitempty" doc:"in the protocol of Redis, version 2"`
	Program *Program `json:"program,omitempty" doc:"by a program of its own, which speaks the protocol of docs/clients.md"`
}

// Program is a client in a program of its own.
type Program struct {
	Command   []string          `json:"command" short:"" doc:"the program, an absolute path in the driver's machine, and its arguments"`
	Env       map[string]string `json:"env,omitempty" doc:"environment variables; there are no others"`
	Files     []File            `json:"files,omitempty" doc:"what the driver's machine holds for it"`
	Workloads []string          `json:"workloads" doc:"the workloads whose operations it carries out"`
	Leader    bool              `json:"leader,omitempty" doc:"it can be asked who leads"`
	Members   bool              `json:"members,omitempty" doc:"it tells and changes the members of the cluster"`
	Replicas  bool              `json:"replicas,omitempty" doc:"it tells of the copies of the state that nodes have"`
}

// Duration is a time that is written as Go does: 300ms.
type Duration time.Duration

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
