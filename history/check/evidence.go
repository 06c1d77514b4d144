package check

// Evidence is what a check judges by: who could have seen what it sees.
type Evidence string

// The kinds of evidence.
const (
	// ByClients: the operations of clients, which any system has.
	ByClients Evidence = "clients"
	// ByTraces: what the nodes tell of themselves.
	ByTraces Evidence = "traces"
	// ByProcesses: how servers end. A server that stops itself since it saw a rule
	// broken is seen so; one that has no such assertion runs on.
	ByProcesses Evidence = "processes"
	// OfTheTest: whether the test itself was whole and meant anything.
	OfTheTest Evidence = "the test"
)

// evidence is that of every check by its name.
var evidence = map[string]Evidence{
	"linearizable": ByClients, "append": ByClients, "set": ByClients, "watch": ByClients,
	"mini": ByClients, "rw": ByClients, "bank": ByClients, "unique-ids": ByClients, "monotonic": ByClients, "lease": ByClients, "set-remove": ByClients, "long-fork": ByClients,
	"recovery": ByClients, "durability": ByClients, "availability": ByClients, "replicas": ByClients,
	"election-safety": ByTraces, "vote-safety": ByTraces, "log-agreement": ByTraces, "state-agreement": ByTraces,
	"term-monotonic": ByTraces, "election-timers": ByTraces, "commit-monotonic": ByTraces, "leader-completeness": ByTraces, "conformance": ByTraces,
	"no-crash": ByProcesses,
	"activity": OfTheTest, "whole": OfTheTest, "history": OfTheTest,
}

// EvidenceOf is what the check of that name judges by; false for a name that is
// not known, as of a later squall's results.
func EvidenceOf(name string) (Evidence, bool) {
	e, ok := evidence[name]
	return e, ok
}
