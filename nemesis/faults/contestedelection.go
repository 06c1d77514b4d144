package faults

import (
	"context"
	"slices"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// contestedElection takes the leaders away one after the other, by their messages alone:
// their connections stay, so that one whose term is over is back at once, with what it still
// believes, and at first with all but the one that leads now. What nodes say of votes comes
// twice in the first election; slowly in the next two, so that several stand in one term;
// and grants come only when the next election has begun from the fourth on.
func contestedElection() nemesis.Fault {
	return sequence{
		name: "contested-election",
		doc:  "leaders are lost one after the other, to their messages alone, and each comes back to all but the next; votes are doubled, then slow, then granted too late",
		params: []declare.Param{
			{Name: "slow", Kind: declare.Duration, Default: "60ms", Min: "1ms", Max: "10s",
				Doc: "how late requests for votes and entries are in the second election and the third: less than election timeouts differ"},
			{Name: "late", Kind: declare.Duration, Default: "300ms", Min: "1ms", Max: "1m",
				Doc: "how late votes are from the fourth election on: about an election timeout"},
		},
		nodes:    3,
		messages: true,
		begin: func(ctx context.Context, s *steps) error {
			s.touch("the messages of "+s.leader+" are lost until another leads", s.others...)
			if err := s.contest(ctx, 0, groups([]string{s.leader}, s.others)); err != nil {
				return err
			}
			return meddling{done: "lost or doubled"}.prove(ctx, s.Hit, allLinks(s.Names()))
		},
		goOn: func(ctx context.Context, s *steps) error {
			lost := s.leader
			for election := 0; ; election++ {
				next, ok := s.otherLeader(ctx, lost)
				if !ok {
					s.skipped("another leader than %s", lost)
					return nil
				}
				if err := s.contest(ctx, election, groups([]string{lost}, []string{next})); err != nil {
					return err
				}
				s.did("%s leads, and %s hears from all others", next, lost)
				if !sleep(ctx, apartFor) {
					return nil
				}
				if err := s.contest(ctx, election+1, groups([]string{next}, without(s.Names(), next))); err != nil {
					return err
				}
				s.did("%s is lost; votes are %s", next, howVotes(election+1))
				lost = next
			}
		},
	}.fault()
}

// apartFor is how long a leader whose term is over hears from all but the next one. It has
// lost its quorum already when that is elected, and gives up by itself soon.
const apartFor = 100 * time.Millisecond

// howVotes says what befalls votes in an election, of which the first is 0.
func howVotes(election int) string {
	return []string{"doubled", "slow", "slow", "late"}[min(election, 3)]
}

// contest has the messages on some links lost, and does to the votes on all others what is
// the turn of this election.
func (s *steps) contest(ctx context.Context, election int, lost map[history.Link]bool) error {
	layer := nemesis.Layer{Messages: map[history.Link]nemesis.MessageFault{}}
	for i, link := range allLinks(s.Names()) {
		fault := s.votes(election)
		if lost[link] {
			fault = nemesis.MessageFault{Do: nemesis.LoseMessage}
		}
		fault.Share, fault.Seed = 1, s.Plan.Seed+uint64(i)
		layer.Messages[link] = fault
	}
	return unbroken(ctx, func(ctx context.Context) error { return s.Links.Set(ctx, s.Plan.ID, layer) })
}

func (s *steps) votes(election int) nemesis.MessageFault {
	switch howVotes(election) {
	case "doubled":
		return nemesis.MessageFault{Do: nemesis.DuplicateMessage, Types: []string{"pre-vote", "pre-vote-reply", "vote", "vote-reply"}}
	case "slow":
		// Entries, too: what a new leader begins its term with is not committed yet when
		// the question of another candidate comes.
		return nemesis.MessageFault{Do: nemesis.DelayMessage, Types: []string{"vote", "append"}, Delay: s.Args.Duration("slow")}
	}
	return nemesis.MessageFault{Do: nemesis.DelayMessage, Types: []string{"vote-reply"}, Delay: s.Args.Duration("late")}
}

// allLinks are the links between nodes, in an order that is always the same.
func allLinks(nodes []string) []history.Link {
	var links []history.Link
	for _, from := range slices.Sorted(slices.Values(nodes)) {
		for _, to := range slices.Sorted(slices.Values(nodes)) {
			if from != to {
				links = append(links, history.Link{From: from, To: to})
			}
		}
	}
	return links
}
