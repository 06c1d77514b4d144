package kv

import (
	"errors"
	"fmt"
)

// Code says why an operation has no proper answer. The numbers are part of the
// protocol.
type Code uint8

// The codes.
const (
	CodeInternal    Code = 1  // a defect of the server
	CodeNotLeader   Code = 2  // no leader is known, or the one asked is none
	CodeBusy        Code = 3  // too much is in flight
	CodeStopped     Code = 4  // the server is shutting down
	CodeSuperseded  Code = 5  // another leader's entry was committed instead
	CodeNotSent     Code = 6  // the connection was lost, or closed, before the request was sent
	CodeLeaderLost  Code = 7  // leadership was lost with the operation under way
	CodeTimeout     Code = 8  // no outcome within the time allowed
	CodeConnLost    Code = 9  // the connection was lost after the request was sent
	CodeForwardLost Code = 10 // the same, between the node asked and the leader
	CodeTooLarge    Code = 11 // the key or a value is beyond the limit
	CodeCanceled    Code = 12 // the caller's context was cancelled
	CodeLeaderMoved Code = 13 // it was forwarded, and meanwhile another node leads
	CodeWrongKind   Code = 14 // the key holds a list and not a string, or the other way round
	CodeTooMany     Code = 15 // of what there may be so many of
	CodeNoSession   Code = 16 // the session was ended, or never was
	CodeForgotten   Code = 17 // the answer to the command is not kept any more, if it ever came to one
	CodeReused      Code = 18 // the number in the session belongs to another command
	CodeElsewhere   Code = 19 // the node's own state is not at that index
)

func (c Code) String() string {
	switch c {
	case CodeInternal:
		return "internal error"
	case CodeNotLeader:
		return "no leader"
	case CodeBusy:
		return "busy"
	case CodeStopped:
		return "stopped"
	case CodeSuperseded:
		return "superseded"
	case CodeNotSent:
		return "not sent"
	case CodeLeaderLost:
		return "leadership lost"
	case CodeTimeout:
		return "timeout"
	case CodeConnLost:
		return "connection lost"
	case CodeForwardLost:
		return "connection to the leader lost"
	case CodeTooLarge:
		return "too large"
	case CodeCanceled:
		return "cancelled"
	case CodeLeaderMoved:
		return "another node leads now"
	case CodeWrongKind:
		return "wrong kind of value"
	case CodeTooMany:
		return "too many"
	case CodeNoSession:
		return "no such session"
	case CodeForgotten:
		return "answer not kept"
	case CodeReused:
		return "number used for another command"
	case CodeElsewhere:
		return "the state is at another index"
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Error is why an operation has no proper answer. Every error of a [Client]'s
// operations is one.
type Error struct {
	// Certain is true when the operation had no effect and never will. When it
	// is false the operation may or may not have taken effect, or may do so
	// later. Reads have no effect, so that their errors are always certain.
	Certain bool
	Code    Code
	Text    string // more for people; may be empty
	cause   error
}

func (e *Error) Error() string {
	text := "kv: " + e.Code.String()
	if e.Text != "" {
		text += ": " + e.Text
	}
	if !e.Certain {
		text += " (outcome unknown)"
	}
	return text
}

// Unwrap is what caused the error on this side of the connection, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Certain reports whether err says that the operation had no effect. Of an
// error that is none of this package it is false: nothing is known.
func Certain(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Certain
}
