package raft

// stopped is the role of a node that does nothing any more.
type stopped struct{}

func (*stopped) kind() Role       { return Stopped }
func (*stopped) leave()           {}
func (*stopped) message(*Message) {}

func (*stopped) handle(t task) {
	switch t := t.(type) {
	case *propose:
		t.done(nil, ErrStopped)
	case *read:
		t.done(ErrStopped)
	}
}
