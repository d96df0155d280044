//! A real LDAP server with a small directory, and a front for one that is slow.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// People and groups; `al,ice` has a comma in her name.
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

dn: cn=managers,ou=groups,dc=example
objectClass: groupOfNames
cn: managers
member: cn=alice,ou=people,dc=example

dn: cn=staff,ou=groups,dc=example
objectClass: groupOfNames
cn: staff
member: cn=managers,ou=groups,dc=example
member: cn=bob,ou=people,dc=example
";

/// It ends with the test.
pub struct Slapd {
    child: Child,
    pub port: u16,
    directory: tempfile::TempDir,
}

impl Slapd {
    /// Starts one with the directory on loopback; with certificates it takes StartTLS.
    pub fn start(certificates: Option<&str>) -> Slapd {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("db")).unwrap();
        let tls = certificates.unwrap_or_default();
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n{tls}\
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
            .expect("slapd of Debian is there; .ci/packages installs it");
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let port = free_port();
        let child = run(directory.path(), port);
        let slapd = Slapd { child, port, directory };
        slapd.wait_until_ready();
        slapd
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn start_again(&mut self) {
        self.child = run(self.directory.path(), self.port);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "slapd does not listen");
            testkit::pause(Duration::from_millis(20));
        }
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(directory: &Path, port: u16) -> Child {
    Command::new("/usr/sbin/slapd")
        .args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/"), "-f"])
        .arg(directory.join("slapd.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
