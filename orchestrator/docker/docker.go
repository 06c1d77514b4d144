// Package docker runs machines as containers on a Docker engine, through the
// engine's API alone: it works with a local engine, Docker Desktop and a
// remote one. It publishes no port and never asks for privileged mode; a
// machine has the capability NET_ADMIN, for packet rules in its own network
// namespace, and no other.
//
// Everything it makes bears the label "squall": containers, volumes and
// networks with the run's id as its value, images with "image".
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/docker/docker/client"

	"squall/orchestrator"
)

const (
	// Label is on everything that this package makes.
	Label = "squall"
	// MachineLabel is on containers; its value is the machine's name.
	MachineLabel = "squall.machine"

	imageLabelValue = "image"
)

// How long the engine may take, so that nothing waits for ever. They are
// generous: an engine under load may take seconds to start a container.
const (
	pingTimeout  = 10 * time.Second
	stepTimeout  = 60 * time.Second
	cleanTimeout = 60 * time.Second
)

// ErrNoEngine says that no Docker engine answers.
var ErrNoEngine = errors.New("no Docker engine answers")

// Options of a Runtime. The zero value is right for most.
type Options struct {
	// Host is the engine's address, as in DOCKER_HOST. Empty is DOCKER_HOST
	// itself, else the docker command's current context, else the default.
	Host   string
	Logger *slog.Logger // nil logs nothing
}

// Runtime makes machines out of containers.
type Runtime struct {
	api  *client.Client
	host string
	log  *slog.Logger

	// importing keeps several Ups from making the same image at once.
	importing sync.Mutex
}

var (
	_ orchestrator.Runtime = (*Runtime)(nil)
	_ orchestrator.Cluster = (*cluster)(nil)
	_ orchestrator.Machine = (*machine)(nil)
)

// New connects to the engine. If none answers, the error wraps ErrNoEngine and
// says what was tried and how to mend it.
func New(ctx context.Context, opts Options) (*Runtime, error) {
	host, from, err := engineHost(opts.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEngine, err)
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("%w at %s (%s): %w", ErrNoEngine, host, from, err)
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if _, err := api.Ping(ctx); err != nil {
		api.Close()
		return nil, fmt.Errorf("%w at %s (%s): %w: %s", ErrNoEngine, host, from, err, mend(err))
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Runtime{api: api, host: host, log: log}, nil
}

// Name is "docker".
func (r *Runtime) Name() string { return "docker" }

// Close gives up the connections to the engine.
func (r *Runtime) Close() error { return r.api.Close() }

// steady is a context for a step that must not be cut in half: were the
// request called off, the engine might still do what it asked for, unseen by a
// clean-up that ran already. It has its own deadline instead.
func steady(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
}
