package shape

import "squall/nodeimage/agent/protocol"

// link is one shaped link of the queue.
type link struct {
	shape protocol.Shape
	model *Model
	line  line
	mtu   int // bytes; what is longer cannot be sent by a raw socket
	count protocol.ShapeCount
}

func newLink(s protocol.Shape, mtu int) *link {
	return &link{
		shape: s,
		model: NewModel(s),
		line:  line{rate: s.Rate},
		mtu:   mtu,
		count: protocol.ShapeCount{To: s.To, Engine: protocol.EngineQueue},
	}
}
