package docker

import "context"

// Describe names the engine. One that does not answer is named all the same.
func (r *Runtime) Describe(ctx context.Context) string {
	info, err := r.Info(ctx)
	if err != nil {
		return "Docker at " + r.host
	}
	return "Docker " + info.Version + " at " + r.host
}
