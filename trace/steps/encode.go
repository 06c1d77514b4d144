package steps

import "encoding/binary"

// Bounds of the format; what exceeds them squall takes for damage.
const (
	maxRuns    = 16 << 10
	maxMembers = 1 << 10
	maxReason  = 256
)

// magic is how a trace begins.
const magic = "squall-trace 2\n"

// appendFrame appends the frame of an event, which is after as many ns after the one
// before.
func appendFrame(b []byte, e *Event, after int64) []byte {
	body := append(make([]byte, 0, 64), byte(e.Kind))
	body = binary.AppendVarint(body, after)
	body = appendFields(number(body, e.Term), e)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}

func appendFields(b []byte, e *Event) []byte {
	switch e.Kind {
	case Start:
		b = mark(number(number(b, uint64(e.Node)), uint64(e.Vote)), e.Base)
		b = mark(runs(b, e.Runs), e.Mark)
		b = number(nodes(b, e.Members), uint64(e.Lacks))
	case RoleChange:
		b = text(mark(number(append(b, byte(e.Role)), uint64(e.Peer)), e.Mark), e.Reason)
	case Grant:
		b = mark(number(b, uint64(e.Peer)), e.Mark)
	case Tally:
		b = yesNo(yesNo(number(b, uint64(e.Peer)), e.Pre), e.Reject)
	case Append:
		b = runs(b, e.Runs)
	case Truncate, Compact, Apply:
		b = mark(b, e.Mark)
	case Persist:
		b = mark(number(b, uint64(e.Vote)), e.Mark)
	case Send, Receive:
		b = message(b, e.Message)
	case Commit, State:
		b = binary.LittleEndian.AppendUint64(mark(b, e.Mark), e.Hash)
	case ReadCame:
		b = number(number(b, e.First), e.Last)
	case RoundBegun:
		b = mark(number(number(number(b, e.First), e.Last), e.Round), e.Mark)
	case RoundDone:
		b = number(b, e.Round)
	case ReadServed:
		b = text(mark(number(number(b, e.First), e.Last), e.Mark), e.Reason)
	case Snapshot:
		b = nodes(mark(number(text(b, e.Reason), uint64(e.Peer)), e.Mark), e.Members)
	case Transfer:
		b = number(b, uint64(e.Peer))
	case Config:
		b = nodes(nodes(mark(b, e.Mark), e.Members), e.Old)
	case Failed:
		b = text(b, e.Reason)
	case Progress:
		b = number(number(number(b, uint64(e.Peer)), e.Match), e.Next)
	case Timeout:
		b = number(b, e.Steps)
	}
	return b
}

func message(b []byte, m *Message) []byte {
	b = number(number(number(append(b, byte(m.Type)), uint64(m.Other)), m.Term), m.Number)
	switch m.Type {
	case PreVote, Vote:
		b = mark(b, m.Mark)
	case PreVoteReply, VoteReply:
		b = yesNo(b, m.Reject)
	case AppendEntries:
		b = number(runs(mark(b, m.Mark), m.Runs), m.Commit)
	case AppendReply:
		b = mark(yesNo(mark(b, m.Mark), m.Reject), m.Hint)
	case Heartbeat:
		b = number(number(b, m.Commit), m.Round)
	case HeartbeatReply:
		b = number(b, m.Round)
	case InstallSnapshot:
		b = yesNo(number(number(mark(b, m.Mark), m.Offset), m.Size), m.Done)
	case SnapshotReply:
		b = number(mark(b, m.Mark), m.Offset)
	}
	return b
}

func number(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

func mark(b []byte, m Mark) []byte { return number(number(b, m.Index), m.Term) }

func yesNo(b []byte, yes bool) []byte {
	if yes {
		return append(b, 1)
	}
	return append(b, 0)
}

func text(b []byte, s string) []byte {
	s = s[:min(len(s), maxReason)]
	return append(number(b, uint64(len(s))), s...)
}

func nodes(b []byte, ids []Node) []byte {
	ids = ids[:min(len(ids), maxMembers)]
	b = number(b, uint64(len(ids)))
	for _, id := range ids {
		b = number(b, uint64(id))
	}
	return b
}

// runs are written each as by how much it begins elsewhere than right after the one
// before, how many entries it has, and their term.
func runs(b []byte, list []Run) []byte {
	b = number(b, uint64(len(list)))
	next := uint64(0)
	for _, r := range list {
		b = binary.AppendVarint(b, int64(r.First-next))
		b = number(number(b, r.Count), r.Term)
		next = r.First + r.Count
	}
	return b
}
