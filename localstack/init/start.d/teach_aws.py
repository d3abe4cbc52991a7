"""Run by LocalStack itself before it listens (an init hook of the stage `start`): teaches it two things that AWS has and it lacks.

KMS: Ed25519 keys. AWS: key spec ECC_NIST_EDWARDS25519, signing algorithm ED25519_SHA_512 over a RAW message (RFC 8032, no prehash).
The keys and signatures are those of the `cryptography` package, which LocalStack uses for its other key specs.
SQS: who sent a message. AWS: the attribute SenderId is `ROLEID:SESSIONNAME` for a role's session; LocalStack's is the account.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from localstack.aws.api.kms import KMSInvalidSignatureException
from localstack.services.kms import models
from localstack.services.kms.exceptions import ValidationException
from localstack.services.sqs.provider import SqsProvider
from localstack.utils.aws.request_context import extract_access_key_id_from_auth_header
from moto.sts.models import sts_backends

SPEC = "ECC_NIST_EDWARDS25519"
ALGORITHM = "ED25519_SHA_512"


def teach_ed25519():
    # Known as an elliptic curve, so that it is accepted; its keys are loaded from material, never made from a curve.
    models.ECC_CURVES[SPEC] = None
    make, sign, verify = models.KmsCryptoKey.__init__, models.KmsKey.sign, models.KmsKey.verify
    populate = models.KmsKey._populate_signing_algorithms

    def make_key(self, key_spec, key_material=None):
        if key_spec == SPEC and key_material is None:
            key_material = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        make(self, key_spec, key_material)

    def require_match(key, algorithm, message_type):
        if (key.metadata["KeySpec"] == SPEC) != (algorithm == ALGORITHM):
            raise ValidationException(f"Algorithm {algorithm} and key spec {key.metadata['KeySpec']} do not match.")
        if algorithm == ALGORITHM and message_type == "DIGEST":
            raise ValidationException(f"{ALGORITHM} takes RAW messages.")

    def sign_text(self, data, message_type, signing_algorithm):
        require_match(self, signing_algorithm, message_type)
        if signing_algorithm == ALGORITHM:
            return self.crypto_key.key.sign(data)
        return sign(self, data, message_type, signing_algorithm)

    def verify_text(self, data, message_type, signing_algorithm, signature):
        require_match(self, signing_algorithm, message_type)
        if signing_algorithm != ALGORITHM:
            return verify(self, data, message_type, signing_algorithm, signature)
        try:
            self.crypto_key.key.public_key().verify(signature, data)
            return True
        except InvalidSignature:
            raise KMSInvalidSignatureException()

    def populate_algorithms(self, key_usage, key_spec):
        populate(self, key_usage, key_spec)
        if key_spec == SPEC and key_usage == "SIGN_VERIFY":
            self.metadata["SigningAlgorithms"] = [ALGORITHM]

    models.KmsCryptoKey.__init__ = make_key
    models.KmsKey.sign, models.KmsKey.verify = sign_text, verify_text
    models.KmsKey._populate_signing_algorithms = populate_algorithms


def teach_senders():
    make = SqsProvider._create_message_attributes

    def make_attributes(self, context, message_system_attributes=None):
        attributes = make(self, context, message_system_attributes)
        key = extract_access_key_id_from_auth_header(context.request.headers)
        session = sts_backends[context.account_id][context.partition].get_assumed_role_from_access_key(key)
        if session is not None:
            attributes["SenderId"] = session.user_id
        return attributes

    SqsProvider._create_message_attributes = make_attributes


teach_ed25519()
teach_senders()
