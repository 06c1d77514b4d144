package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"squall/nodeimage/agent/protocol"
)

var errBadRequest = errors.New("bad request")

// carryOut does what a request asks for.
func (a *agent) carryOut(ctx context.Context, req protocol.Request) (any, error) {
	switch req.Method {
	case protocol.MethodHello:
		return a.hold.hello()
	case protocol.MethodClock:
		return protocol.ClockResult{Mono: mono()}, nil
	case protocol.MethodShutdown:
		return nil, errors.Join(a.server.close(), a.net.clear())
	case protocol.MethodNet, protocol.MethodNetCount, protocol.MethodFeatures:
		return a.performPackets(req)
	case protocol.MethodProbeSend, protocol.MethodProbeHeard, protocol.MethodConnect,
		protocol.MethodFlowSend, protocol.MethodFlowHeard:
		return a.performProbe(ctx, req)
	case protocol.MethodClockBend, protocol.MethodClockRead:
		return a.server.performClock(req)
	case protocol.MethodMessageRules, protocol.MethodMessageCounts:
		return a.server.performMessages(req)
	case protocol.MethodSpin, protocol.MethodHog, protocol.MethodUsage:
		return a.squeeze.perform(ctx, req)
	case protocol.MethodDiskStatus, protocol.MethodDiskRules, protocol.MethodDiskCut, protocol.MethodDiskDamage, protocol.MethodDiskProbe, protocol.MethodDiskJournal, protocol.MethodDiskSettle:
		return a.disk.perform(ctx, req)
	default:
		return a.performProcess(req)
	}
}

func (a *agent) performProcess(req protocol.Request) (any, error) {
	s := a.server
	switch req.Method {
	case protocol.MethodStart:
		spec, err := params[protocol.StartSpec](req)
		if err != nil {
			return nil, err
		}
		return s.start(spec)
	case protocol.MethodWrite:
		p, err := params[protocol.WriteParams](req)
		if err != nil {
			return nil, err
		}
		return nil, s.write(p.Data)
	case protocol.MethodCloseStdin:
		return nil, s.closeStdin()
	case protocol.MethodKill:
		return s.after(s.kill())
	case protocol.MethodTerminate:
		p, err := params[protocol.TerminateParams](req)
		if err != nil {
			return nil, err
		}
		return s.after(s.terminate(p.Grace))
	case protocol.MethodPause:
		return s.after(s.pause())
	case protocol.MethodResume:
		return s.after(s.resume())
	case protocol.MethodProcess:
		return s.state()
	case protocol.MethodWipe:
		return s.wipe()
	case protocol.MethodLay:
		p, err := params[protocol.LayParams](req)
		if err != nil {
			return nil, err
		}
		return nil, s.lay(p)
	case protocol.MethodPrompt:
		p, err := params[protocol.PromptParams](req)
		if err != nil {
			return nil, err
		}
		s.prompt.set(p.Prompt)
		return nil, nil
	default:
		return nil, fmt.Errorf("%w: no method %q", errBadRequest, req.Method)
	}
}

// after is the state of the server after something was done to it.
func (s *supervisor) after(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return s.state()
}

func (a *agent) performPackets(req protocol.Request) (any, error) {
	switch req.Method {
	case protocol.MethodNetCount:
		return a.net.counters()
	case protocol.MethodFeatures:
		return a.net.features(), nil
	}
	state, err := params[protocol.NetState](req)
	if err != nil {
		return nil, err
	}
	return nil, a.net.set(state)
}

func (a *agent) performProbe(ctx context.Context, req protocol.Request) (any, error) {
	switch req.Method {
	case protocol.MethodConnect:
		p, err := params[protocol.ConnectParams](req)
		if err != nil {
			return nil, err
		}
		return connect(ctx, p.To, p.Timeout)
	case protocol.MethodFlowSend:
		spec, err := params[protocol.FlowSpec](req)
		if err != nil {
			return nil, err
		}
		return a.probes.flowSend(ctx, spec)
	}
	p, err := params[protocol.ProbeParams](req)
	if err != nil {
		return nil, err
	}
	switch req.Method {
	case protocol.MethodProbeHeard:
		return a.probes.heardFrom(p.Nonce), nil
	case protocol.MethodFlowHeard:
		return a.probes.flowsHeard(p.Nonce), nil
	default:
		return nil, a.probes.send(p.Nonce, p.To, p.Port)
	}
}

func params[P any](req protocol.Request) (P, error) {
	var p P
	if err := json.Unmarshal(req.Params, &p); err != nil {
		return p, fmt.Errorf("%w: %s: %w", errBadRequest, req.Method, err)
	}
	return p, nil
}
