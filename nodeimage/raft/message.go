package raft

// Message is what members send each other.
type Message struct {
	From, To NodeID
}

// AppendMessage appends the wire form of m to buf.
func AppendMessage(buf []byte, m *Message) []byte { panic("todo") }

// DecodeMessage reads a message's wire form. The message may keep b.
func DecodeMessage(b []byte) (*Message, error) { panic("todo") }
