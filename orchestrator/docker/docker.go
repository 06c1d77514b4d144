// Package docker runs machines as containers on a Docker engine, through the
// engine's API alone: it works with a local engine, Docker Desktop and a
// remote one. It publishes no port and never asks for privileged mode; a
// machine has the capability NET_ADMIN, for packet rules in its own network
// namespace, NET_RAW, for packets that it sends later or twice, and no other.
//
// Everything it makes bears the label "squall": containers, volumes and
// networks with the run's name as its value, images with "image".
package docker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/docker/docker/client"

	"squall/orchestrator/machines"
)

const (
	// Label is on everything that this package makes.
	Label = "squall"
	// ClusterLabel is on what Label is on, but for images; its value is the
	// cluster's id, which is unique where a run's name is not.
	ClusterLabel = "squall.cluster"
	// MachineLabel is on containers; its value is the machine's name.
	MachineLabel = "squall.machine"

	imageLabelValue = "image"
)

var (
	// ErrNoEngine says that no Docker engine answers.
	ErrNoEngine = errors.New("no Docker engine answers")
	// ErrTooOld says that an engine answers, but an old one.
	ErrTooOld = errors.New("the Docker engine is too old")
)

// Options of a Runtime. The zero value is right for most.
type Options struct {
	// Host is the engine's address, as in DOCKER_HOST. Empty is DOCKER_HOST
	// itself, else the docker command's current context, else the default.
	Host   string
	Logger *slog.Logger // nil logs nothing
	// PingTimeout is how long the engine may take to answer at first. 0 is 15
	// seconds: ssh has to log in, and a busy computer takes seconds too.
	PingTimeout time.Duration
}

func (o Options) pingTimeout() time.Duration {
	if o.PingTimeout > 0 {
		return o.PingTimeout
	}
	return 15 * time.Second
}

// Runtime makes machines out of containers.
type Runtime struct {
	api    *client.Client
	addr   address
	log    *slog.Logger
	limits limits
	wait   wait
	hang   hang
	routes func() ([]hostRoute, error)
	fuse   func() bool // whether this computer has the device

	// importing keeps several Ups from making the same image at once.
	importing sync.Mutex
}

var (
	_ machines.Runtime = (*Runtime)(nil)
	_ machines.Cluster = (*cluster)(nil)
	_ machines.Machine = (*machine)(nil)
)

// New connects to the engine that the docker command would use. If none
// answers, the error wraps ErrNoEngine and says what was tried and how to fix
// it; one that is too old is ErrTooOld.
func New(ctx context.Context, opts Options) (*Runtime, error) {
	addr, err := engineAddress(opts.Host)
	if err != nil {
		return nil, noAddress(err)
	}
	limit := opts.pingTimeout()
	api, err := addr.client(limit)
	if err != nil {
		return nil, noAnswer(addr, err.Error(), err)
	}
	if err := meet(ctx, addr, api, limit); err != nil {
		api.Close()
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Runtime{api: api, addr: addr, log: log, limits: usualLimits(), wait: context.WithTimeout, routes: hostRoutes, fuse: hasFuse}, nil
}

// meet is the first request, which tells what the engine is.
func meet(ctx context.Context, addr address, api *client.Client, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ping, err := api.Ping(limited)
	if err != nil {
		return notReached(ctx, addr, api, limit, err)
	}
	api.NegotiateAPIVersionPing(ping)
	return checkEngine(addr, api, ping)
}

// Name is "docker".
func (r *Runtime) Name() string { return "docker" }

// Close gives up the connections to the engine.
func (r *Runtime) Close() error { return r.api.Close() }
