package custom

// Redis is how clients speak to a node in the protocol of Redis.
type Redis struct {
	Port         string         `json:"port,omitempty" doc:"the name of a port of the servers, or a number; not given: the only port there is"`
	Connect      []RedisCommand `json:"connect,omitempty" doc:"commands that each connection begins with, such as [AUTH, secret]; each must be answered well"`
	Workloads    []string       `json:"workloads,omitempty" doc:"the workloads that the store can take; not given: all for which there are commands"`
	Functions    RedisFunctions `json:"functions,omitzero" doc:"the commands that are not the usual ones"`
	Transactions bool           `json:"transactions,omitempty" doc:"the store has MULTI and EXEC, which are atomic: the workload append makes use of them"`
	Fail         []string       `json:"fail,omitempty" doc:"how errors begin that mean that a command was not carried out and never will be, beside those of Redis itself"`
	MaxBody      int            `json:"max-body,omitempty" doc:"the longest answer that is read, in KiB; not given: 1024"`
}

// RedisCommand is a command.
type RedisCommand struct {
	Command []string `json:"command" short:"" doc:"the command, with its arguments"`
}

// RedisFunctions are the commands of functions; nil: the usual one, where there is one.
type RedisFunctions struct {
	Read   *RedisCall `json:"read,omitempty" doc:"register: what ${key} holds; usually GET"`
	Write  *RedisCall `json:"write,omitempty" doc:"register: store ${value} at ${key}; usually SET"`
	CAS    *RedisCall `json:"cas,omitempty" doc:"register: store ${value} at ${key} if it holds ${expect}; there is no usual one"`
	Create *RedisCall `json:"create,omitempty" doc:"register: store ${value} at ${key} if nothing is there, where that is not the command of cas"`
	Delete *RedisCall `json:"delete,omitempty" doc:"register: remove ${key}; usually DEL"`

	Add      *RedisCall `json:"add,omitempty" doc:"set: add ${element} to the set ${key}; usually SADD"`
	Elements *RedisCall `json:"elements,omitempty" doc:"set: all elements of the set ${key}; usually SMEMBERS"`

	Append *RedisCall `json:"append,omitempty" doc:"append: append ${element} to the list ${key}; usually RPUSH"`
	List   *RedisCall `json:"list,omitempty" doc:"append: the whole list ${key}, in order; usually LRANGE"`

	Acquire *RedisCall `json:"acquire,omitempty" doc:"lock: acquire the lock ${key} for ${owner}; value is the fencing token, a number that grows, and found the owner who holds it"`
	Release *RedisCall `json:"release,omitempty" doc:"lock: release the lock ${key} that ${owner} holds with ${token}"`
}

// RedisCall is the command of one function. An answer that is no error means that it was
// done, unless it is said to refuse, or is none of those that are said to mean that.
type RedisCall struct {
	Command []string     `json:"command" short:"" doc:"the command, with its arguments: [GET, \"${key}\"]"`
	Value   string       `json:"value,omitempty" doc:"where in an answer that is a list the value stands, such as [1]; not given: it is the answer"`
	Done    []RedisMatch `json:"done,omitempty" doc:"the answers that mean that it was done; not given: all that are no errors"`
	Refused []RedisMatch `json:"refused,omitempty" doc:"of cas, acquire and release: the answers that mean that it was not done because the key holds something else, or the lock is held, or not so"`
	Found   string       `json:"found,omitempty" doc:"of cas and acquire: where in an answer that refuses the value or the owner stands that is there; . is all of it; not given: it does not say"`
}

// RedisMatch is a kind of answer.
type RedisMatch struct {
	Is string `json:"is" short:"" doc:"what the answer is, as a text; null: nothing"`
	At string `json:"at,omitempty" doc:"where in an answer that is a list it stands, such as [0]"`
}

func (f *RedisFunctions) all() map[string]*RedisCall {
	return map[string]*RedisCall{fnRead: f.Read, fnWrite: f.Write, fnCAS: f.CAS, fnCreate: f.Create, fnDelete: f.Delete,
		fnAdd: f.Add, fnElements: f.Elements, fnAppend: f.Append, fnList: f.List, fnAcquire: f.Acquire, fnRelease: f.Release}
}

// usualCommands are those of Redis itself.
func usualCommands() map[string][]string {
	return map[string][]string{
		fnRead:     {"GET", "${key}"},
		fnWrite:    {"SET", "${key}", "${value}"},
		fnDelete:   {"DEL", "${key}"},
		fnAdd:      {"SADD", "${key}", "${element}"},
		fnElements: {"SMEMBERS", "${key}"},
		fnAppend:   {"RPUSH", "${key}", "${element}"},
		fnList:     {"LRANGE", "${key}", "0", "-1"},
	}
}

// surelyFailed is how errors begin with which Redis, its cluster and RedisRaft refuse a
// command before anything is done.
func surelyFailed() []string {
	return []string{"MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "NOLEADER", "LOADING", "BUSY", "READONLY", "MASTERDOWN", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM",
		"WRONGTYPE", "EXECABORT", "DENIED", "ERR unknown command", "ERR wrong number of arguments", "ERR syntax error"}
}
