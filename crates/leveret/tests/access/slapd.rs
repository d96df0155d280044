//! A real LDAP server with a small directory, and a front for one that is slow.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SLAPD: &str = "/usr/sbin/slapd";

/// People and groups; `al,ice` has a comma in her name, and one is called `.*`.
const DIRECTORY: &str = r"
dn: dc=example
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example
objectClass: organizationalUnit
ou: groups

dn: ou=vhosts,dc=example
objectClass: organizationalUnit
ou: vhosts

dn: ou=tenant,ou=vhosts,dc=example
objectClass: organizationalUnit
ou: tenant

dn: cn=admin,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: admin
userPassword: adminsecret

dn: cn=alice,ou=people,dc=example
objectClass: inetOrgPerson
cn: alice
sn: Alice
uid: al
mail: alice@example.org
userPassword: wonderland

dn: cn=bob,ou=people,dc=example
objectClass: inetOrgPerson
cn: bob
sn: Bob
uid: bob
mail: bob@example.com
userPassword: builder

dn: cn=al\2Cice,ou=people,dc=example
objectClass: inetOrgPerson
cn: al,ice
sn: Comma
uid: comma
userPassword: comma

dn: cn=.*,ou=people,dc=example
objectClass: inetOrgPerson
cn: .*
sn: Star
uid: star
userPassword: star

dn: cn=managers,ou=groups,dc=example
objectClass: groupOfNames
cn: managers
member: cn=alice,ou=people,dc=example

dn: cn=staff,ou=groups,dc=example
objectClass: groupOfNames
cn: staff
member: cn=managers,ou=groups,dc=example
member: cn=bob,ou=people,dc=example

dn: cn=readers,ou=groups,dc=example
objectClass: groupOfNames
cn: readers
member: cn=alice,ou=people,dc=example
";

/// It ends with the test.
pub struct Slapd {
    child: Child,
    pub port: u16,
    /// With TLS from the first byte on.
    pub tls_port: u16,
    directory: tempfile::TempDir,
}

impl Slapd {
    /// Starts one with the directory on loopback, and with further lines in its configuration; `None`, and a line that
    /// says so, where there is no slapd.
    pub fn start(more: &str) -> Option<Slapd> {
        if !Path::new(SLAPD).exists() {
            assert!(std::env::var_os("CI").is_none(), "there is no {SLAPD}, which .ci/packages installs");
            // Past what the test harness keeps of tests that pass.
            let _ = writeln!(std::io::stderr(), "skipped: there is no {SLAPD}; apt-get install slapd");
            return None;
        }
        let mut directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("db")).unwrap();
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nallow bind_anon_cred bind_anon_dn\n{more}\
             pidfile {pid}\nargsfile {arguments}\ndatabase mdb\nmaxsize 10485760\nsuffix dc=example\n\
             rootdn cn=root,dc=example\ndirectory {db}\n\
             access to attrs=userPassword by anonymous auth by * none\naccess to * by users read by * none\n",
            pid = path("pid").display(),
            arguments = path("arguments").display(),
            db = path("db").display(),
        );
        std::fs::write(path("slapd.conf"), configuration).unwrap();
        std::fs::write(path("data.ldif"), DIRECTORY.trim_start()).unwrap();
        let added = Command::new("/usr/sbin/slapadd")
            .arg("-f")
            .arg(path("slapd.conf"))
            .arg("-l")
            .arg(path("data.ldif"))
            .output()
            .expect("slapadd comes with slapd");
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        // Another process may take a port before slapd does.
        for _ in 0..5 {
            let (port, tls_port) = (free_port(), free_port());
            let child = run(directory.path(), port, tls_port);
            let mut slapd = Slapd { child, port, tls_port, directory };
            if slapd.is_ready() {
                return Some(slapd);
            }
            directory = std::mem::replace(&mut slapd.directory, tempfile::tempdir().unwrap());
        }
        panic!("slapd does not start");
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn start_again(&mut self) {
        self.child = run(self.directory.path(), self.port, self.tls_port);
        assert!(self.is_ready(), "slapd does not start again");
    }

    /// Waits until it listens; false when it ended.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "slapd does not listen");
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            testkit::pause(Duration::from_millis(20));
        }
        self.child.try_wait().unwrap().is_none()
    }

    /// The result code with which the server itself answers a bind.
    pub fn bind(&self, dn: &str, password: &str) -> u8 {
        let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let bind = [element(2, &[3]), element(4, dn.as_bytes()), element(0x80, password.as_bytes())].concat();
        let message = element(0x30, &[element(2, &[1]), element(0x60, &bind)].concat());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(&message).unwrap();
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[5..9], [0x61, answer[6], 0x0a, 1], "a bind response");
        answer[9]
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(directory: &Path, port: u16, tls_port: u16) -> Child {
    let listeners = format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/");
    Command::new(SLAPD)
        .args(["-d", "0", "-h", &listeners, "-f"])
        .arg(directory.join("slapd.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    testkit::free_address().unwrap().port()
}

/// A server that takes connections and answers each with the bytes, or with nothing for ever.
pub fn odd_server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 512];
                while matches!(stream.read(&mut buffer), Ok(1..)) {
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
