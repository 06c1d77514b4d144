package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// messageReplay delivers old messages again: those of terms that have passed, when a
// new one begins, and others when they are old.
func messageReplay() nemesis.Fault {
	return meddling{
		name: "message-replay",
		doc:  "servers' old messages are delivered again, also after their term has passed",
		done: "replayed",
		params: []declare.Param{
			messageShare("100%"),
			{Name: "age", Kind: declare.Duration, Default: "500ms", Draw: []string{"200ms", "500ms", "1s"}, Min: "0s", Max: "1m0s",
				Doc: "how old they are when they come again, and again; 0s: they come only when the receiver is in a later term"},
			{Name: "keep", Kind: declare.Count, Default: "32", Min: "1", Max: "1000",
				Doc: "how many of each type, from each sender, are kept to be replayed: a sample of all that came"},
		},
		of: func(a declare.Args) nemesis.MessageFault {
			return nemesis.MessageFault{Do: nemesis.ReplayMessage, Delay: a.Duration("age"), Count: a.Int("keep")}
		},
	}.fault()
}
