module leveret.example/clients/suites/rabbit-hole

go 1.24

require github.com/michaelklishin/rabbit-hole/v3 v3.2.0
