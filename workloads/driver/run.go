// Package driver runs the clients of a test: it draws operations from a
// workload's generator, runs them against the nodes of a system under test,
// and streams the history of it back. It lives in a machine of its own, inside
// the network of the cluster.
//
// # Protocol
//
// The first line of the driver's input is its [Config] as JSON; the load
// begins at once, or when the system was seen to serve. Each further line is a command:
//
//	stop     no operation begins any more; those under way go on to their end
//	recover  write and read through every node until it works, or the bound is over;
//	         does "stop" first, and waits for the load's end
//	final    run the final operations; does "stop" first, and waits for what is under way
//	scan     read all that was written back through every node, until the bound is over;
//	         does "stop" first, and waits for what is under way
//	compare  compare the copies of the state that the nodes have; does "stop" first, and
//	         waits for what is under way
//	ask …    ask the cluster about its members, or have them changed: an [Ask] as JSON
//	quit     end
//
// The end of the input means quit. The history goes out as lines of
// [history.AppendOp], in batches; what happens goes out as [Event] lines. An
// event that tells of an end ("load-end", "recovered", "final-done", "scanned", "compared") comes after the last
// line of what ended was written.
package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"squall/workloads"
	"squall/workloads/catalogue"
	"squall/workloads/program"
	"squall/workloads/systems"
)

// Streams are what the driver is connected to.
type Streams struct {
	Commands io.Reader // the configuration and the commands
	Status   io.Writer // events
	History  io.Writer // the lines of operations
}

// Catalogue finds systems and workloads by their names. The zero value knows
// those of squall; tests put others in.
type Catalogue struct {
	System   func(name string) (systems.System, error)
	Workload func(name string) (workloads.Workload, error)
}

// grace is how long operations under way may go on after "quit".
const grace = 300 * time.Millisecond

// Run is the driver's life. It returns when it was told to quit, when its
// input ended, or when ctx did; and then nil, unless a part of the history
// could not be written. Whatever ended before it returns is written. A
// configuration that makes no sense is an error, and told as an event too.
//
// The goroutine that reads Commands ends when they do, which may be later.
func Run(ctx context.Context, s Streams, cat Catalogue) error {
	if cat.System == nil {
		cat.System = catalogue.FindSystem
	}
	if cat.Workload == nil {
		cat.Workload = catalogue.FindWorkload
	}
	d := &driver{status: status{w: s.Status}, afterDone: make(chan Event, 1)}
	err := d.run(ctx, s, cat)
	if err != nil {
		// Best effort: when it was the status stream that broke, the exit
		// code alone tells.
		_ = d.status.emit(Event{Event: EventError, Time: d.clock.now(), Error: err.Error()})
	}
	return err
}

type driver struct {
	cfg   Config
	clock clock
	rec   *recorder
	work  workloads.Workload
	can   able
	gen   workloads.Generator
	links [][]*link
	load  *load         // nil: it has not begun
	pool  *program.Pool // of clients that are a program; nil: they are none
	// readier is a system whose nodes are asked whether they are ready; nil: none is.
	readier systems.Readier

	status    status
	loadDone  <-chan struct{} // nil once its end was told
	wanted    []string        // commands of what comes after the load that wait for their turn
	under     string          // the one of them under way; "": none is
	afterDone chan Event      // its end

	asks   sync.WaitGroup
	leader atomic.Pointer[string] // as last observed; nil: nobody was
}

// able is what else the system's nodes can be asked.
type able struct{ leader, members, replicas bool }

func (d *driver) run(ctx context.Context, s Streams, cat Catalogue) (err error) {
	if d.clock, err = newClock(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := readLines(ctx, s.Commands)
	if ok, err := d.configure(ctx, lines, cat); err != nil || !ok {
		return err
	}
	if err := d.status.emit(Event{Event: EventReady, Time: d.clock.now()}); err != nil {
		return err
	}
	d.rec = newRecorder(d.clock, s.History, d.work.Functions)
	err = d.serve(ctx, lines)
	return errors.Join(err, d.end(cancel))
}

// end lets operations under way end, for a moment, then cancels them, and
// writes all that is left.
func (d *driver) end(cancel context.CancelFunc) error {
	if d.load != nil {
		d.endLoad()
	}
	cancel()
	if d.under != "" {
		<-d.afterDone
	}
	d.asks.Wait()
	for _, node := range d.links {
		for _, l := range node {
			l.close()
		}
	}
	if d.pool != nil {
		d.pool.Close()
	}
	return d.rec.close()
}

func (d *driver) endLoad() {
	d.load.stop()
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-d.load.done:
	case <-patience.C:
		d.load.abort(errors.New("the driver ended"))
		<-d.load.done
	}
}

// configure reads the first line and prepares everything. Without an error,
// false means that there is nothing to do.
func (d *driver) configure(ctx context.Context, lines <-chan line, cat Catalogue) (bool, error) {
	var first line
	select {
	case <-ctx.Done():
		return false, nil
	case l, ok := <-lines:
		if !ok {
			return false, errors.New("read the configuration: the input ended before its first line")
		}
		first = l
	}
	if first.err != nil {
		return false, fmt.Errorf("read the configuration: %w", first.err)
	}
	dec := json.NewDecoder(bytes.NewReader(first.text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d.cfg); err != nil {
		return false, fmt.Errorf("read the configuration, the first line of the input: %w", err)
	}
	d.cfg = d.cfg.WithDefaults()
	if err := d.cfg.Validate(); err != nil {
		return false, fmt.Errorf("configuration: %w", err)
	}
	sys, err := d.cfg.findSystem(cat)
	if err != nil {
		return false, fmt.Errorf("configuration: %w", err)
	}
	work, err := cat.Workload(d.cfg.Workload)
	if err != nil {
		return false, fmt.Errorf("configuration: %w", err)
	}
	if !work.Fits(systems.Prototype(sys)) {
		return false, fmt.Errorf("configuration: the system %s cannot serve the workload %s", d.cfg.System, work.Name)
	}
	args, err := work.Declaration().Resolve(d.cfg.Args)
	if err != nil {
		return false, fmt.Errorf("configuration: workload %s: %w", work.Name, err)
	}
	d.work = work
	if readier, ok := systems.As[systems.Readier](sys); ok && readier.ReadyLine() == nil {
		d.readier = readier
	}
	d.can = able{leader: systems.TellsLeader(sys), members: systems.ChangesMembers(sys), replicas: systems.TellsReplicas(sys)}
	d.gen = work.New(workloads.Load{Args: args, Clients: d.cfg.processes(), Seed: d.cfg.Seed})
	dialer := d.dialer(sys)
	for _, node := range d.cfg.Nodes {
		var conns []*link
		for range d.cfg.Conns {
			conns = append(conns, &link{
				dialer: dialer, node: node, clock: d.clock, work: work,
				timeout: d.cfg.ConnectTimeout, silence: 2 * d.cfg.Timeout,
			})
		}
		d.links = append(d.links, conns)
	}
	return true, nil
}

// dialer makes the connections of a system: a program does, or the system itself.
func (d *driver) dialer(sys systems.System) dialer {
	programmer, ok := systems.As[systems.ClientProgrammer](sys)
	if !ok {
		d, _ := systems.As[systems.Dialer](sys) // or its prototype would not have fitted
		return d
	}
	var names []string
	for _, node := range d.cfg.Nodes {
		names = append(names, node.Name)
	}
	d.pool = program.New(programmer.ClientProgram(d.cfg.SystemArgs),
		program.Options{Workload: d.cfg.Workload, Timeout: d.cfg.Timeout, Nodes: names, Log: &d.status})
	return d.pool
}

// givenUp is closed when there can be no clients any more; nil: there always can.
func (d *driver) givenUp() <-chan struct{} {
	if d.pool == nil {
		return nil
	}
	return d.pool.GivenUp()
}

// begin lets the load begin, once the system serves. Without an error, false means
// that the driver is to end before.
func (d *driver) begin(ctx context.Context, lines <-chan line) (bool, error) {
	if d.readier != nil {
		if ok, err := d.awaitReady(ctx, lines); err != nil || !ok {
			return false, err
		}
	}
	p := &probe{cfg: d.cfg, clock: d.clock, rec: d.rec, gen: d.gen, links: d.links}
	if d.cfg.Probe {
		if ok, err := d.probe(ctx, p, lines); err != nil || !ok {
			return false, err
		}
	}
	begin := d.status.emit(d.rec.event(EventLoadBegin))
	d.load = beginLoad(ctx, d.cfg, d.clock, d.rec, d.gen, d.links, p.process.Load())
	d.loadDone = d.load.done
	return true, begin
}

// probe waits until the system serves.
func (d *driver) probe(ctx context.Context, p *probe, lines <-chan line) (served bool, err error) {
	how, err := d.before(ctx, lines, p.run)
	if err != nil || how == "" {
		return false, err
	}
	e := d.rec.event(EventServing)
	e.Text = how
	return true, errors.Join(d.rec.flush(), d.status.emit(e))
}

// before does what comes before the load, and returns what that did; "" when the driver
// is to end. The only command that it obeys meanwhile is to quit.
func (d *driver) before(ctx context.Context, lines <-chan line, do func(context.Context) string) (how string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	found := make(chan string, 1)
	go func() {
		defer close(found)
		found <- do(ctx)
	}()
	defer func() {
		cancel(errors.New("the driver ended"))
		for range found { // until it has ended
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return "", nil
		case <-d.givenUp():
			return "", d.pool.Err()
		case how := <-found:
			return how, nil // "" when ctx has ended
		case l, ok := <-lines:
			if !ok || l.err == nil && string(bytes.TrimSpace(l.text)) == CommandQuit {
				return "", nil
			}
			if l.err != nil {
				return "", fmt.Errorf("read commands: %w", l.err)
			}
			if err := d.status.emit(Event{Event: EventError, Time: d.clock.now(), Error: fmt.Sprintf("command %q came before the load had begun", l.text)}); err != nil {
				return "", err
			}
		}
	}
}

// serve runs the load and obeys commands until it is time to end.
func (d *driver) serve(ctx context.Context, lines <-chan line) error {
	if ok, err := d.begin(ctx, lines); err != nil || !ok {
		return err
	}
	if d.can.leader {
		watching, stop := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { watchLeaders(watching, d.links, d.cfg.Patience, d.observed) })
		defer watch.Wait()
		defer stop()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			var quit bool
			if quit, err = d.command(ctx, l); quit {
				return nil
			}
		case <-d.loadDone:
			d.loadDone = nil
			err = d.tellEnd(Event{Event: EventLoadEnd})
		case done := <-d.afterDone:
			done.Event, d.under = afterStorm[d.under].done, ""
			err = d.tellEnd(done)
		case <-tick.C:
			e := d.rec.event(EventStats)
			e.Late = max(0, int64(time.Since(last)-time.Second))
			last = time.Now()
			e.Latency = d.rec.quantiles()
			err = d.status.emit(e)
		case <-d.rec.done:
			err = d.rec.failure()
		case <-d.givenUp():
			err = d.pool.Err()
		}
		if err != nil {
			return err
		}
		if err := d.maybeNext(ctx); err != nil {
			return err
		}
	}
}

// observed tells whom the nodes take for the leader.
func (d *driver) observed(name string) {
	d.leader.Store(&name)
	// When the status stream is broken, the next event of the loop ends the driver.
	_ = d.status.emit(Event{Event: EventLeader, Time: d.clock.now(), Text: name})
}

// tellEnd reports the end of a phase when everything of it is written.
func (d *driver) tellEnd(end Event) error {
	if err := d.rec.flush(); err != nil {
		return err
	}
	e := d.rec.event(end.Event)
	e.Final, e.Replicas = end.Final, end.Replicas
	if e.Event == EventLoadEnd {
		e.Latency = d.rec.quantiles()
	}
	return d.status.emit(e)
}

// afterStorm are the events that tell of what is done after the storm.
var afterStorm = map[string]struct{ begin, done string }{
	CommandRecover: {EventRecovery, EventRecovered},
	CommandFinal:   {EventFinal, EventFinalDone},
	CommandScan:    {EventScan, EventScanned},
	CommandCompare: {EventCompare, EventCompared},
}

// maybeNext begins what is wanted next when the load is over, and what was wanted
// before.
func (d *driver) maybeNext(ctx context.Context) error {
	if len(d.wanted) == 0 || d.loadDone != nil || d.under != "" {
		return nil
	}
	d.under, d.wanted = d.wanted[0], d.wanted[1:]
	under := d.under
	go func() { d.afterDone <- d.after(ctx, under) }()
	return d.status.emit(d.rec.event(afterStorm[under].begin))
}

// after does what a command asks for after the load, and returns what came of it.
func (d *driver) after(ctx context.Context, command string) Event {
	if command == CommandCompare {
		c := &comparison{links: d.links, bound: d.cfg.Recovery, timeout: d.cfg.Timeout}
		return Event{Replicas: c.run(ctx)}
	}
	var counts FinalCounts
	switch command {
	case CommandFinal:
		counts = newFinals(d.load, d.links, d.gen.Finals()).run(ctx)
	case CommandScan:
		counts = newScan(d.load, d.links, d.gen).run(ctx)
	default:
		counts = (&recovery{load: d.load, links: d.links}).run(ctx)
	}
	return Event{Final: &counts}
}
