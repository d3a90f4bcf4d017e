"""Certificates, users and passwords for the brokers of tests: what their configurations must say.

`secure` is an object with any of: "tls" (true: the server shows a certificate), "client_certificate" (true: and demands
one that our authority signed), "user" and "password", "token" (NATS only), "sasl" (Kafka, with user and password: PLAIN,
SCRAM-SHA-256, SCRAM-SHA-512).
"""

import pathlib
import subprocess

KNOWN = {
    "nats": {"tls", "client_certificate", "user", "password", "token"},
    "kafka": {"tls", "client_certificate", "user", "password", "sasl"},
}


def unknown(kind, secure):
    """Names in `secure` that this kind of broker does not know."""
    return sorted(set(secure) - KNOWN[kind])


def make_certificates(folder):
    """Two authorities, and what the first one signed. Each is good for two days, for 127.0.0.1 and localhost.

    ca.pem; server.pem, server.key; client.pem, client.key (CN weir); stranger.pem, stranger.key (signed by another
    authority, other-ca.pem). Made once.
    """
    folder = pathlib.Path(folder)
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for authority in ("ca", "other-ca"):
        _openssl(
            folder, "req", "-x509", *_key(f"{authority}.key"), "-subj", f"/CN=weir test {authority}", "-out", f"{authority}.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2",
        )  # fmt: skip
    (folder / "names.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "other-ca")):
        common = "weir" if name == "client" else name
        _openssl(folder, "req", *_key(f"{name}.key"), "-subj", f"/CN={common}", "-out", f"{name}.csr")
        _openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-extfile", "names.cnf", "-days", "2", "-out", f"{name}.pem",
        )  # fmt: skip
    for key in folder.glob("*.key"):
        key.chmod(0o600)
    (folder / "done").touch()
    return folder


def _key(file):
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file


def _openssl(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"openssl {words[0]}: {done.stderr}")


def nats_lines(secure, folder):
    """Lines of nats-server's configuration."""
    lines = []
    if secure.get("tls"):
        made = make_certificates(folder)
        verify = "true" if secure.get("client_certificate") else "false"
        lines.append(
            f'tls {{ cert_file: "{made}/server.pem", key_file: "{made}/server.key", ca_file: "{made}/ca.pem", verify: {verify} }}'
        )
    if secure.get("token"):
        lines.append(f'authorization {{ token: "{secure["token"]}" }}')
    elif secure.get("user"):
        lines.append(f'authorization {{ user: "{secure["user"]}", password: "{secure["password"]}" }}')
    return "\n".join(lines)


def kafka_properties(secure, folder):
    """Properties of a broker whose clients' listener is secured; it talks to itself by another, INTERNAL."""
    if not secure:
        return {}
    tls, sasl = secure.get("tls"), secure.get("sasl")
    protocol = {(False, False): "PLAINTEXT", (True, False): "SSL", (False, True): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
    clients = protocol[bool(tls), bool(sasl)]
    properties = {
        "listener.security.protocol.map": f"BROKER:{clients},CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
    }
    if tls:
        made = make_certificates(folder)
        both = made / "server-both.pem"
        both.write_text((made / "server.key").read_text() + (made / "server.pem").read_text())
        properties |= {
            "ssl.keystore.type": "PEM", "ssl.keystore.location": both,
            "ssl.truststore.type": "PEM", "ssl.truststore.location": made / "ca.pem",
            # With SASL only the listener's own setting counts.
            "listener.name.broker.ssl.client.auth": "required" if secure.get("client_certificate") else "none",
        }  # fmt: skip
    if sasl:
        user, password = secure["user"], secure["password"]
        module = "org.apache.kafka.common.security."
        module += f'plain.PlainLoginModule required user_{user}="{password}"' if sasl == "PLAIN" else "scram.ScramLoginModule required"
        properties |= {"sasl.enabled.mechanisms": sasl, f"listener.name.broker.{sasl.lower()}.sasl.jaas.config": f"{module};"}
    return properties


def kafka_format_arguments(secure):
    """Where passwords are kept for SCRAM."""
    if not secure.get("sasl", "").startswith("SCRAM"):
        return []
    return ["--add-scram", f"{secure['sasl']}=[name={secure['user']},password={secure['password']}]"]
