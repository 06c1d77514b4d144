package raft

// Node is one running member of a Raft cluster.
type Node struct{}

// Start recovers the node from its storage and starts its event loop. The
// errors are those of the configuration and of the storage.
func Start(cfg Config) (*Node, error) { panic("todo") }

// Propose replicates command. done is called exactly once: with the state
// machine's result and nil, or with one of ErrNotLeader, ErrBusy, ErrStopped,
// ErrSuperseded (certain: no effect) or ErrUnknown. done must not block; it may
// be called before Propose returns.
func (n *Node) Propose(command []byte, done func(result any, err error)) { panic("todo") }

// Read is a linearizable read barrier (ReadIndex). done(nil) is called on the
// goroutine that applies entries, so within done the state machine may be read
// and holds everything that was acknowledged before Read was called. On an
// error (ErrNotLeader, ErrBusy, ErrStopped, ErrUnknown: leadership was lost)
// nothing may be read. done is called exactly once and must not block.
func (n *Node) Read(done func(err error)) { panic("todo") }

// Receive hands over a message from another member. It never blocks; when the
// queue is full the message is dropped, as a network would.
func (n *Node) Receive(m *Message) { panic("todo") }

// Leader is the leader that this node knows of (0: none) and the term.
func (n *Node) Leader() (leader NodeID, term uint64) { panic("todo") }

// Status is safe to call from any goroutine.
func (n *Node) Status() Status { panic("todo") }

// Stop ends the event loop and every goroutine, and waits for them. Proposals
// under way report ErrUnknown.
func (n *Node) Stop() { panic("todo") }

// Failed is closed when the node stopped by itself because its storage failed.
func (n *Node) Failed() <-chan struct{} { panic("todo") }

// Err says why Failed was closed.
func (n *Node) Err() error { panic("todo") }
