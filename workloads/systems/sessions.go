package systems

import (
	"context"
	"errors"

	"squall/internal/declare"
)

// Resender is a System whose servers know an operation that comes again: its clients are
// SessionClients. A part of them sends again what is not answered in time, also through
// other nodes.
type Resender interface {
	// Resends reports whether they do, with values of all parameters.
	Resends(a declare.Args) bool
}

// SessionClient is a Client whose operations may have numbers in a session.
type SessionClient interface {
	Client
	Register(ctx context.Context) (Session, error)
}

// Session is what the servers know the operations of one client by. It belongs to no
// connection.
type Session interface {
	// Begin gives the next operation its number. Its End has to be called.
	Begin() Once
}

// Once is one operation, which takes effect once at most, however often and through
// whichever nodes it is sent, at the same time even. Each time it is answered what it was
// answered at first. When some answer says that it certainly had no effect, that is so of
// this attempt alone.
type Once interface {
	// On is a connection of the same system for attempts at this operation, and for no
	// other. It is not closed.
	On(c Client) Client
	// End says that it is not sent any more.
	End()
}

// Forgotten tells whether err means that the servers do not know the session.
func Forgotten(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Forgotten
}
