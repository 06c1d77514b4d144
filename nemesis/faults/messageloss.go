package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// messageLoss drops messages, which TCP does not send again: it has delivered them.
func messageLoss() nemesis.Fault {
	return meddling{
		name:   "message-loss",
		doc:    "servers' messages are lost",
		done:   "lost",
		params: []declare.Param{messageShare("25%", "10%", "25%", "50%")},
		of:     func(declare.Args) nemesis.MessageFault { return nemesis.MessageFault{Do: nemesis.LoseMessage} },
	}.fault()
}
