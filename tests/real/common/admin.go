package common

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
)

const adminTimeout = time.Minute

func state(v Version, args []string) error {
	var c clientFlags
	f := flags("state")
	c.register(f)
	db := f.String("db", "defaultdb", "database")
	if err := parse(f, args); err != nil {
		return err
	}
	ctx, cancel := deadline(adminTimeout)
	defer cancel()
	client, err := c.connect(ctx, v, *db)
	if err != nil {
		return err
	}
	state, uuid, err := client.State(ctx)
	if err != nil {
		return err
	}
	fmt.Println(state.TxId, hex.EncodeToString(state.TxHash), uuid)
	return nil
}

type dbAction func(ctx context.Context, v Version, c *Client, name string) error

// eachDB returns a command that acts on each database that its arguments name.
func eachDB(act dbAction) func(Version, []string) error {
	return func(v Version, args []string) error {
		var c clientFlags
		f := flags("")
		c.register(f)
		if err := parse(f, args); err != nil {
			return err
		}
		if f.NArg() == 0 {
			return fmt.Errorf("the name of a database is missing")
		}
		ctx, cancel := deadline(adminTimeout)
		defer cancel()
		client, err := c.connect(ctx, v, "")
		if err != nil {
			return err
		}
		for _, name := range f.Args() {
			if err := act(ctx, v, client, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
}

func createDB(ctx context.Context, v Version, c *Client, name string) error {
	_, err := c.CreateDatabase(ctx, v.Database(name))
	return err
}

func dropDB(ctx context.Context, v Version, c *Client, name string) error {
	if v.DeleteDB == nil {
		return ErrUnsupported
	}
	// Only an unloaded database can be deleted. The database may be unloaded already.
	if err := v.UnloadDB(ctx, c, name); err != nil && !strings.Contains(err.Error(), "already closed") {
		return err
	}
	return v.DeleteDB(ctx, c, name)
}

func unloadDB(ctx context.Context, v Version, c *Client, name string) error {
	if v.UnloadDB == nil {
		return ErrUnsupported
	}
	return v.UnloadDB(ctx, c, name)
}

func loadDB(ctx context.Context, v Version, c *Client, name string) error {
	if v.LoadDB == nil {
		return ErrUnsupported
	}
	return v.LoadDB(ctx, c, name)
}

type userFlags struct {
	clientFlags
	name, db, permission string
}

func (u *userFlags) register(f *flag.FlagSet, adminPassword string) {
	u.clientFlags.registerAs(f, adminPassword)
	f.StringVar(&u.name, "name", "", "name of the user")
	f.StringVar(&u.db, "db", "defaultdb", "database of the permission")
	f.StringVar(&u.permission, "permission", "read", "read or readwrite")
}

func (u *userFlags) level() (uint32, error) {
	switch u.permission {
	case "read":
		return 1, nil
	case "readwrite":
		return 2, nil
	}
	return 0, fmt.Errorf("--permission must be read or readwrite, not %q", u.permission)
}

func createUser(v Version, args []string) error {
	var u userFlags
	f := flags("create-user")
	// Here --password is the password of the new user.
	u.register(f, "admin-password")
	password := f.String("password", "", "password of the new user: 8 to 32 characters with a capital letter, a digit and a symbol")
	if err := parse(f, args); err != nil {
		return err
	}
	level, err := u.level()
	if err != nil {
		return err
	}
	ctx, cancel := deadline(adminTimeout)
	defer cancel()
	client, err := u.connect(ctx, v, "")
	if err != nil {
		return err
	}
	_, err = client.CreateUser(ctx, &schema.CreateUserRequest{
		User: []byte(u.name), Password: []byte(*password), Database: u.db, Permission: level})
	return err
}

func permission(action schema.PermissionAction) func(Version, []string) error {
	return func(v Version, args []string) error {
		var u userFlags
		f := flags("grant, revoke")
		u.register(f, "password")
		if err := parse(f, args); err != nil {
			return err
		}
		level, err := u.level()
		if err != nil {
			return err
		}
		ctx, cancel := deadline(adminTimeout)
		defer cancel()
		client, err := u.connect(ctx, v, "")
		if err != nil {
			return err
		}
		_, err = client.ChangePermission(ctx, &schema.ChangePermissionRequest{
			Action: action, Username: u.name, Database: u.db, Permission: level})
		return err
	}
}
