package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

// picture is who hears whom, who is down or stands still, and who hears no clients:
// "n1 n2 | n3 n4; down n5".
func (c *fakeCluster) picture() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts, down, still, silent []string
	seen := map[string]bool{}
	for _, n := range c.nodes {
		if n.cuts(nemesis.Clients) {
			silent = append(silent, n.name)
		}
		switch {
		case !n.proc.Running:
			down = append(down, n.name)
			continue
		case n.proc.State == "T":
			still = append(still, n.name)
		}
		if seen[n.name] {
			continue
		}
		group := []string{}
		for _, other := range c.nodes {
			if other.proc.Running && (n == other || !n.loses(other.name) && !other.loses(n.name)) {
				group, seen[other.name] = append(group, other.name), true
			}
		}
		parts = append(parts, strings.Join(group, " "))
	}
	text := strings.Join(parts, " | ")
	for _, more := range []struct {
		what  string
		nodes []string
	}{{"down", down}, {"still", still}, {"no clients at", silent}} {
		if len(more.nodes) > 0 {
			text += "; " + more.what + " " + strings.Join(more.nodes, " ")
		}
	}
	if rules := c.rules(); len(rules) > 0 {
		text += "; " + strings.Join(rules, " ")
	}
	return text
}

// rules are what befalls messages that are not all lost, each once: "duplicate(votes)".
func (c *fakeCluster) rules() (rules []string) {
	for _, n := range c.nodes {
		for _, r := range n.messages {
			if r.Types != nil {
				rules = append(rules, fmt.Sprintf("%s(%s)", r.Do, strings.Join(r.Types, " ")))
			}
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// beat is a moment of a scripted cluster: what the nodes tell then, and what the cluster
// must look like a little later.
type beat struct {
	ms   int
	tell []history.NodeEvent
	want string
}

// play runs a sequence on five nodes, of which n1 leads, from 1 s to 5 s, and holds the
// cluster against a script. It returns the proof of the whole.
func play(t *testing.T, fault nemesis.Fault, params map[string]string, script []beat) string {
	t.Helper()
	c := newFake(5)
	p := planned(fault, "leader")
	p.ForMs = 4000
	for name, value := range params {
		p.Params[name] = value
	}
	var proof []string
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		ended := make(chan error, 1)
		go func() { ended <- r.Run(t.Context(), []nemesis.Planned{p}, 0) }()
		for _, b := range script {
			time.Sleep(time.Duration(b.ms)*time.Millisecond - time.Since(begin))
			for _, e := range b.tell {
				if e.Time = int64(time.Since(begin)); e.Leads() {
					c.mu.Lock()
					c.roles.Leader = e.Node
					c.mu.Unlock()
				}
				c.watch.Take(&e)
			}
			// What waits for a probe or a timer within the step goes on meanwhile.
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			if got := c.picture(); got != b.want {
				t.Errorf("after %d ms and %+v: %s, want %s", b.ms, b.tell, got, b.want)
			}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, f := range rec.faults {
			if f.Err != "" || f.Lapsed != "" {
				t.Errorf("%s: %q, lapsed %q", f.Phase, f.Err, f.Lapsed)
			}
			proof = append(proof, f.Proof...)
		}
	})
	if wrong := c.hurt(); len(wrong) > 0 {
		t.Errorf("still hurt: %v", wrong)
	}
	return strings.Join(proof, "\n")
}

func leads(node string, term uint64) []history.NodeEvent {
	return []history.NodeEvent{{Node: node, Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Leader: node, Term: term}}
}

// endingAt has the node's log end there.
func endingAt(index uint64, events []history.NodeEvent) []history.NodeEvent {
	events[0].Index = index
	return events
}

func votes(node, candidate string, term uint64) []history.NodeEvent {
	return []history.NodeEvent{{Node: node, Boot: 1, Kind: history.EventVote, Vote: candidate, Term: term}}
}

func commits(node string, index uint64) []history.NodeEvent {
	return []history.NodeEvent{{Node: node, Boot: 1, Kind: history.EventCommit, Index: index, Term: 4}}
}

// says wants lines in a proof, in this order.
func says(t *testing.T, proof string, lines ...string) {
	t.Helper()
	rest := proof
	for _, line := range lines {
		_, after, ok := strings.Cut(rest, line)
		if !ok {
			t.Errorf("the proof has no %q in its place:\n%s", line, proof)
			return
		}
		rest = after
	}
}

// TestFigure8: the steps of the figure, each when the one before is seen, and not earlier.
func TestFigure8(t *testing.T) {
	proof := play(t, figure8(), nil, []beat{
		{500, commits("n1", 7), "n1 n2 n3 n4 n5"},
		{1080, nil, "n1 n2 | n3 n4 n5; no clients at n2"},                           // (a)
		{1600, leads("n5", 3), "n1 n2 | n3 n4 | n5"},                                // (b)
		{1860, nil, "n1 n3 n4 | n2; down n5; no clients at n2 n3 n4 n5"},            // (c)
		{2400, leads("n5", 3), "n1 n3 n4 | n2; down n5; no clients at n2 n3 n4 n5"}, // old news
		{2700, endingAt(9, leads("n1", 4)), "n1 n3 n4 | n2; down n5; no clients at n2 n3 n4 n5"},
		{2900, commits("n1", 9), "n2 | n3 n4 n5; down n1"}, // (d)
		{3400, leads("n5", 5), "n2 | n3 n4 n5; down n1"},
	})
	says(t, proof, "(b) n5, which is S5, leads term 3", "(c) n1 leads term 4; its last 2 entries are not committed", "(c) n1 commits", "(d) n1 crashes", "(d) S5, n5, leads term 5 and overwrites")
}

// TestFigure8IsLate: in (c) what S1 sends is late, and nothing that it is answered, nor in
// (d) what S5 sends.
func TestFigure8IsLate(t *testing.T) {
	s := &steps{Hit: &nemesis.Hit{Plan: nemesis.Planned{Order: nodeNames(5)}}, leader: "n1", others: nodeNames(5)[1:]}
	f := eight(s)
	shape := slowlyFrom([]string{s.leader}, f.rest)
	if len(shape) != 3 || shape[history.Link{From: "n1", To: "n5"}].Delay != late {
		t.Errorf("%v are late", shape)
	}
}

// TestFigure8WithTheRule: where S1 commits an entry of its own term, S5 is not elected.
func TestFigure8WithTheRule(t *testing.T) {
	proof := play(t, figure8(), nil, []beat{
		{1600, leads("n5", 3), "n1 n2 | n3 n4 | n5"},
		{2500, leads("n1", 4), "n1 n3 n4 | n2; down n5; no clients at n2 n3 n4 n5"},
		{3300, nil, "n2 | n3 n4 n5; down n1"}, // nothing was committed in time
		{3600, leads("n3", 5), "n2 | n3 n4 n5; down n1"},
	})
	says(t, proof, "(d) n1 crashes", "(e) n3 leads term 5")
}

// TestFrozenLeader: half of the nodes are with the leader, whose clock stands until the end.
func TestFrozenLeader(t *testing.T) {
	proof := play(t, frozenLeader(), map[string]string{"beside": "500ms"}, []beat{
		{1000, nil, "n1 n2 | n3 n4 n5"},
		{1700, leads("n3", 3), "n1 n2 | n3 n4 n5"},
		{2300, nil, "n1 n2 n3 n4 n5"},
	})
	says(t, proof, "clock rate 0", "n3 leads, and the clock of n1 stands still", "n1 is reunited", "clock rate 1")
}

// TestAFrozenLeaderThatEnds begins with the true time when it is started again, and is no
// failure of the heal.
func TestAFrozenLeaderThatEnds(t *testing.T) {
	c := newFake(5)
	p := planned(frozenLeader(), "leader")
	synctest.Test(t, func(t *testing.T) {
		h := &nemesis.Hit{Cluster: c, Plan: p, Args: p.Params, Roles: c.Roles(), Links: nemesis.NewLinkLayers(c)}
		if err := frozenLeader().Inject(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		c.crashing = true
		c.node("n1").proc = nemesis.Process{Exit: "exit status 1", Crashed: true}
		if err := frozenLeader().Undo(t.Context(), h); err != nil {
			t.Error(err)
		}
		if bend := c.node("n1").bend; bend != (nemesis.Bend{}) {
			t.Errorf("its clock is still bent: %+v", bend)
		}
	})
}

// TestDeposedLeaderWithHalf: of an even number of nodes neither side has a majority.
func TestDeposedLeaderWithHalf(t *testing.T) {
	for n, want := range map[int]string{3: "n3", 4: "n3 n1", 5: "n3 n1", 6: "n3 n1 n2"} {
		s := &steps{Hit: &nemesis.Hit{Plan: nemesis.Planned{Order: nodeNames(n)}}}
		if side := strings.Join(s.half("n3"), " "); side != want {
			t.Errorf("of %d nodes %s, want %s", n, side, want)
		}
	}
}

// TestASequenceThatIsNotSeen says what was not, and is healed like any other.
func TestASequenceThatIsNotSeen(t *testing.T) {
	for _, f := range All() {
		if f.Kind != history.KindSequence || f.Name == "double-restart" { // that waits for nothing
			continue
		}
		proof := play(t, f, map[string]string{"do": "kill"}, nil)
		if !strings.Contains(proof, "not seen: ") {
			t.Errorf("%s:\n%s", f.Name, proof)
		}
	}
}

// TestVoterRestart: the voter comes back to a node of the term before, and to nobody else.
func TestVoterRestart(t *testing.T) {
	stands := []history.NodeEvent{{Node: "n2", Boot: 2, Kind: history.EventRole, Role: history.RoleCandidate, Term: 3}}
	proof := play(t, voterRestart(), nil, []beat{
		{1000, nil, "n1 | n3 n4 n5; down n2"},
		{1500, votes("n4", "n3", 3), "n1 n3 n5 | n2 n4"},
		{1900, stands, "n1 n2 n3 n4 n5"},
	})
	says(t, proof, "n1 is cut off, and n2 killed", "n4 killed, after its vote for n3 in term 3", "n4 is back, alone with n2", "n2 stands for election in term 3, too", "all hear each other")
}

// TestInterruptedElection: the node of the moment is hurt as it was asked for.
func TestInterruptedElection(t *testing.T) {
	for do, want := range map[string]string{
		"kill": "n1 | n2 n3 n5; down n4", "restart": "n1 | n2 n3 n4 n5", "pause": "n1 | n2 n3 n4 n5; still n4", "cut": "n1 | n2 n3 n5 | n4",
	} {
		proof := play(t, interruptedElection(), map[string]string{"at": "vote-granted", "do": do}, []beat{
			{1200, votes("n1", "n3", 3), "n1 | n2 n3 n4 n5"}, // that of the node that is cut off
			{1500, votes("n4", "n3", 3), want},
		})
		says(t, proof, "vote-granted of n4 in term 3, and "+do)
	}
}

// TestLaggingFollower: those that are left are a bare majority with the one that lags.
func TestLaggingFollower(t *testing.T) {
	for by, behind := range map[string]string{"cut": "n1 n3 n4 n5 | n2", "pause": "n1 n2 n3 n4 n5; still n2"} {
		proof := play(t, laggingFollower(), map[string]string{"by": by, "lag": "500ms"}, []beat{
			{1000, nil, behind},
			{1600, nil, "n2 n4 n5; down n1 n3"},
			{2000, leads("n4", 3), "n2 n4 n5; down n1 n3"},
		})
		says(t, proof, "n1 n3 killed", "n2 is back", "n4 leads term 3")
	}
}

// TestDeposedLeader: each leader in its turn, and each is reunited when another leads.
func TestDeposedLeader(t *testing.T) {
	proof := play(t, deposedLeader(), map[string]string{"alone": "300ms"}, []beat{
		{1000, nil, "n1 | n2 n3 n4 n5"},
		{1500, leads("n3", 3), "n1 | n2 n3 n4 n5"},
		{1810, nil, "n1 n2 n3 n4 n5"},
		{2400, nil, "n1 n2 n4 n5 | n3"},
		{2700, leads("n1", 4), "n1 n2 n4 n5 | n3"},
		{3010, nil, "n1 n2 n3 n4 n5"},
	})
	says(t, proof, "n3 leads, and n1 is still cut off", "n1 is reunited", "n3 is cut off", "n1 leads, and n3 is still cut off", "n3 is reunited")
}

// TestDeposedLeaderWithOthers: a follower is cut off with each leader, and stays a
// minority with it.
func TestDeposedLeaderWithOthers(t *testing.T) {
	play(t, deposedLeader(), map[string]string{"alone": "0s", "with": "minority"}, []beat{
		{1000, nil, "n1 n2 | n3 n4 n5"},
		{1500, leads("n3", 3), "n1 n2 n3 n4 n5"},
		{2100, nil, "n1 n3 | n2 n4 n5"},
	})
}

// TestDeposedLeaderWhoseSuccessorDies: the old leader is reunited with those that are left.
func TestDeposedLeaderWhoseSuccessorDies(t *testing.T) {
	proof := play(t, deposedLeader(), map[string]string{"alone": "0s", "next": "dies"}, []beat{
		{1000, nil, "n1 | n2 n3 n4 n5"},
		{1500, leads("n3", 3), "n1 n2 n4 n5; down n3"},
		{1900, leads("n4", 4), "n1 n2 n3 n4 n5"},
		{2500, nil, "n1 n2 n3 n5 | n4"},
	})
	says(t, proof, "n3 is killed, and n1 reunited", "n4 leads, and n3 is started", "n4 is cut off")
}

// TestDeposedLeaderThatHears: its packets are dropped, and others' are not.
func TestDeposedLeaderThatHears(t *testing.T) {
	p := planned(deposedLeader(), "")
	p.Params = deposedLeader().Params.Fill(map[string]string{"hears": "all"}, nil)
	recorded, err := runFake(t, newFake(5), p)
	if cut := fmt.Sprint(recorded[0].Cut); err != nil || cut != "[{n1 n2} {n1 n3} {n1 n4} {n1 n5}]" {
		t.Errorf("cut %v, %v", cut, err)
	}
}

// TestDeposedLeaderWhoseConnectionsBreak: they do with how=reject, and hang without it.
func TestDeposedLeaderWhoseConnectionsBreak(t *testing.T) {
	for how, want := range map[string]bool{"reject": true, "drop": false} {
		p := planned(deposedLeader(), "")
		p.Params = deposedLeader().Params.Fill(map[string]string{"how": how}, nil)
		recorded, err := runFake(t, newFake(5), p)
		refused := slices.ContainsFunc(recorded[0].Measured, func(m history.Measure) bool { return m.What == "connection refused after" })
		if err != nil || refused != want {
			t.Errorf("how=%s: a connection is refused: %t, %v", how, refused, err)
		}
	}
}

// TestDeposedLeaderApart: for a while it hears all but the leader that follows it.
func TestDeposedLeaderApart(t *testing.T) {
	proof := play(t, deposedLeader(), map[string]string{"alone": "0s", "but": "leader"}, []beat{
		{1000, nil, "n1 | n2 n3 n4 n5"},
		{1500, leads("n3", 3), "n1 n2 n4 n5 | n2 n3 n4 n5"},
		{2100, nil, "n1 n2 n3 n4 n5"},
	})
	says(t, proof, "n1 is reunited with all but n3", "n1 is reunited")
}

// TestContestedElection: each leader in its turn loses its messages, and gets those of all
// but the next one for a while when that leads. Votes come otherwise in each election.
func TestContestedElection(t *testing.T) {
	const doubled, slow, late = "; duplicate(pre-vote pre-vote-reply vote vote-reply)", "; delay(vote append)", "; delay(vote-reply)"
	proof := play(t, contestedElection(), nil, []beat{
		{1000, nil, "n1 | n2 n3 n4 n5" + doubled},
		{1500, leads("n3", 3), "n1 n2 n4 n5 | n3" + slow},
		{2000, leads("n1", 4), "n1 | n2 n3 n4 n5" + slow},
		{2500, leads("n2", 5), "n1 n3 n4 n5 | n2" + late},
		{3000, leads("n4", 6), "n1 n2 n3 n5 | n4" + late},
	})
	says(t, proof, "messages lost or doubled", "n3 leads, and n1 hears from all others", "n3 is lost; votes are slow", "n1 leads, and n3 hears", "n1 is lost; votes are slow", "n2 is lost; votes are late", "n4 leads")
}

// TestAContestedElectionLosesNoMoreThanItSays: while it is apart from the next leader, the
// one that was lost gets what all others send.
func TestAContestedElectionLosesNoMoreThanItSays(t *testing.T) {
	c := newFake(5)
	h := &nemesis.Hit{Cluster: c, Plan: nemesis.Planned{Order: nodeNames(5), Seed: 7}, Args: contestedElection().Params.Fill(nil, nil),
		Links: nemesis.NewLinkLayers(c), Roles: nemesis.Roles{Leader: "n1"}}
	if err := newSteps(h).contest(t.Context(), 1, groups([]string{"n1"}, []string{"n3"})); err != nil {
		t.Fatal(err)
	}
	seeds := map[uint64]bool{}
	for _, n := range c.nodes {
		for _, r := range n.messages {
			apart := n.name == "n1" && r.From == "n3" || n.name == "n3" && r.From == "n1"
			if (r.Do == nemesis.LoseMessage) != apart || r.Share != 1 || !apart && r.Delay != 60*time.Millisecond {
				t.Errorf("%s has the rule %+v", n.name, r)
			}
			seeds[r.Seed] = true
		}
	}
	if len(seeds) != 20 {
		t.Errorf("%d links draw from sequences of their own, want 20", len(seeds))
	}
}

// TestSnapshotInterrupted: the leader dies when the other is back, and not before.
func TestSnapshotInterrupted(t *testing.T) {
	taken := func(node, reason string) []history.NodeEvent {
		return []history.NodeEvent{{Node: node, Boot: 1, Kind: history.EventSnapshot, Reason: reason}}
	}
	proof := play(t, snapshotInterrupted(), nil, []beat{
		{1000, nil, "n1 n3 n4 n5; down n2"},
		{1300, taken("n3", "taken"), "n1 n3 n4 n5; down n2"}, // that of another
		{1500, taken("n1", "taken"), "n1 n3 n4 n5; down n2"},
		{1900, taken("n1", "taken"), "n2 n3 n4 n5; down n1"},
		{2300, taken("n2", "installed"), "n2 n3 n4 n5; down n1"},
	})
	says(t, proof, "n1 has taken snapshot 1", "n1 has taken snapshot 2", "n2 is back", "n1 killed", "n2 has installed a snapshot")
}

// TestSnapshotInterruptedAtTheReceiver: it dies when it has told of the snapshot, and not
// before, and comes back.
func TestSnapshotInterruptedAtTheReceiver(t *testing.T) {
	told := func(node, reason string) []history.NodeEvent {
		return []history.NodeEvent{{Node: node, Boot: 1, Kind: history.EventSnapshot, Reason: reason}}
	}
	proof := play(t, snapshotInterrupted(), map[string]string{"kill": "follower"}, []beat{
		{1000, nil, "n1 n3 n4 n5; down n2"},
		{1500, told("n1", "taken"), "n1 n3 n4 n5; down n2"},
		{1900, told("n1", "taken"), "n1 n2 n3 n4 n5"},
		{2100, told("n3", "installed"), "n1 n2 n3 n4 n5"}, // that of another
		{2300, told("n2", "installed"), "n1 n2 n3 n4 n5"},
	})
	says(t, proof, "n2 is back", "n2 killed as it installed the snapshot", "n2 is started again")
}

// TestLeaderMinority: the leader and one more of five, and the leader alone of three.
func TestLeaderMinority(t *testing.T) {
	for n, want := range map[int]int{3: 1, 4: 1, 5: 2, 7: 3} {
		h := &nemesis.Hit{Plan: nemesis.Planned{Fault: "partition", Variant: "leader-minority", Order: nodeNames(n)}, Roles: nemesis.Roles{Leader: "n3"}}
		g, err := newGrudge(h)
		if err != nil || len(g.targets) != want || !slices.Contains(g.targets, "n3") {
			t.Errorf("of %d nodes %v are cut off, want %d with n3; %v", n, g.targets, want, err)
		}
	}
}

// TestASequenceMayBeginWithANodeThatIsNamed, in place of the leader.
func TestASequenceMayBeginWithANodeThatIsNamed(t *testing.T) {
	p := planned(deposedLeader(), "")
	p.Nodes = []string{"n4"}
	recorded, err := runFake(t, newFake(5), p)
	if err != nil || !strings.Contains(fmt.Sprint(recorded[0].Cut), "{n4 n1}") || strings.Contains(fmt.Sprint(recorded[0].Cut), "{n1 n2}") {
		t.Errorf("%+v, %v", recorded, err)
	}
}
