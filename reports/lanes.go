package reports

import (
	"cmp"
	"slices"

	"squall/history"
	"squall/history/measure"
)

// lanes are the rows of the picture of operations. Those of a client stand together: it
// has one, and more where it went on under a new process number while an operation of
// an earlier one was under way.
type lanes struct {
	of      map[int64]int // by process
	clients []int64       // of each row; noClient: of final operations, or not told apart
}

const noClient = -1

// mostClients is how many clients have rows of their own, and mostProcesses how many
// processes of which it does not show which client's they are. A history that has more,
// as one in which every operation has a process of its own, has rows that are shared.
const (
	mostClients   = 1000
	mostProcesses = 64
)

// stay is a process from its first call to its last return.
type stay struct{ process, client, from, to int64 }

func newLanes(in *history.History, picked []int32) *lanes {
	stays := staysOf(in, picked)
	l := &lanes{of: make(map[int64]int, len(stays)), clients: []int64{}}
	for len(stays) > 0 {
		n := 1
		for n < len(stays) && stays[n].client == stays[0].client {
			n++
		}
		l.place(stays[:n])
		stays = stays[n:]
	}
	return l
}

// staysOf are the processes of operations, client by client, and by first call. Those of
// no client come last.
func staysOf(in *history.History, picked []int32) []stay {
	clients := measure.Clients(in)
	byProcess := map[int64]*stay{}
	many, told := map[int64]bool{}, false // the clients; whether one has several processes
	for _, i := range picked {
		op := &in.Ops[i]
		s := byProcess[op.Process]
		if s == nil {
			client, known := clients[op.Process]
			if !known {
				client = noClient
			}
			many[client], told = true, told || many[client] && known
			s = &stay{op.Process, client, op.Call, op.Return}
			byProcess[op.Process] = s
		}
		s.from, s.to = min(s.from, op.Call), max(s.to, op.Return)
	}
	var stays []stay
	shared := len(many) > mostClients || len(many) > mostProcesses && !told
	for _, s := range byProcess {
		if shared {
			s.client = noClient
		}
		stays = append(stays, *s)
	}
	slices.SortFunc(stays, func(a, b stay) int {
		return cmp.Or(cmp.Compare(uint64(a.client), uint64(b.client)), cmp.Compare(a.from, b.from), cmp.Compare(a.process, b.process))
	})
	return stays
}

// place gives the processes of one client rows. One that never runs again leaves its row
// to the one that takes its place.
func (l *lanes) place(stays []stay) {
	base := len(l.clients)
	var free []int64 // when each row is free
	for _, s := range stays {
		row := -1
		for i, at := range free {
			if at <= s.from && (row < 0 || at > free[row]) { // the one just freed
				row = i
			}
		}
		if row < 0 {
			row = len(free)
			free = append(free, 0)
			l.clients = append(l.clients, s.client)
		}
		free[row] = s.to
		l.of[s.process] = base + row
	}
}
