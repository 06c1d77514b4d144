package raft

// stopped is the role of a node that does nothing any more.
type stopped struct{}

func (*stopped) kind() Role              { return Stopped }
func (*stopped) leave()                  {}
func (s *stopped) message(*Message) role { return s }

func (s *stopped) handle(t task) role {
	switch t := t.(type) {
	case *propose:
		t.done(nil, ErrStopped)
	case *read:
		t.done(ErrStopped)
	}
	return s
}
