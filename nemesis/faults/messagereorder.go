package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// messageReorder lets messages be overtaken by those that come after them.
func messageReorder() nemesis.Fault {
	return meddling{
		name: "message-reorder",
		doc:  "servers' messages overtake each other",
		done: "overtaken",
		params: []declare.Param{
			messageShare("50%", "25%", "50%"),
			{Name: "window", Kind: declare.Count, Default: "8", Draw: []string{"2", "8", "32"}, Min: "1", Max: "1000",
				Doc: "by how many others a message is overtaken at most"},
			{Name: "wait", Kind: declare.Duration, Default: "200ms", Min: "1ms", Max: "1m0s",
				Doc: "how long it waits for them at most"},
		},
		of: func(a declare.Args) nemesis.MessageFault {
			return nemesis.MessageFault{Do: nemesis.ReorderMessage, Delay: a.Duration("wait"), Count: a.Int("window")}
		},
	}.fault()
}
