// Package suite names the release whose tests are run.
package suite

import _ "github.com/michaelklishin/rabbit-hole/v3"
