package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// opened is a runtime that can be used, and why it is this one.
type opened struct {
	machines.Runtime
	why   string // one line
	close func()
}

// checkSetting refuses a value that a setting of tests cannot have, of a flag with
// the setting's name.
func checkSetting(name, value string) error {
	scratch := testplan.DefaultTest()
	option, _ := testplan.FindOption(name)
	if err := option.Set(&scratch, value); err != nil {
		return usageError(fmt.Errorf("--%s: %w", name, withColumn(err)))
	}
	return nil
}

// openRuntime opens the runtime of that name. With auto that is Docker when
// its engine answers, else local. An error says of each what is missing.
func openRuntime(ctx context.Context, name string, log *slog.Logger) (opened, error) {
	switch name {
	case testplan.RuntimeDocker:
		return openDocker(ctx, log)
	case testplan.RuntimeLocal:
		return openLocal(log)
	}
	inDocker, dockerErr := openDocker(ctx, log)
	if dockerErr == nil {
		return inDocker, nil
	}
	here, localErr := openLocal(log)
	if localErr != nil {
		return opened{}, fmt.Errorf("no runtime works here:\n  docker: %w\n  local: %w", dockerErr, localErr)
	}
	here.why = oneLine(dockerErr)
	return here, nil
}

func openDocker(ctx context.Context, log *slog.Logger) (opened, error) {
	r, err := docker.New(ctx, docker.Options{Logger: log})
	if err != nil {
		return opened{}, err
	}
	return opened{r, "its engine answers", func() { r.Close() }}, nil
}

// openImages opens the engine when a test needs a file out of an image, and not before.
func openImages(log *slog.Logger) func(context.Context) (machines.Images, func(), error) {
	return func(ctx context.Context) (machines.Images, func(), error) {
		r, err := docker.New(ctx, docker.Options{Logger: log})
		if err != nil {
			return nil, nil, err
		}
		return r, func() { r.Close() }, nil
	}
}

func openLocal(log *slog.Logger) (opened, error) {
	r, err := local.New(local.Options{Logger: log})
	if err != nil {
		return opened{}, err
	}
	return opened{r, "as asked for", func() {}}, nil
}

// line says what was chosen and why.
func (o opened) line(ctx context.Context) string {
	return fmt.Sprintf("runtime  %s (%s): %s", o.Name(), o.Describe(ctx), o.why)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
