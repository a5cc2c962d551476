"""Local model servers: started or found, watched, and ended with the service."""

from trimtab.serving.build import build_engine, check_files, digest_of
from trimtab.serving.config import AdapterConfig, EngineConfig, EngineKind
from trimtab.serving.engine import Adapter, Endpoint, Engine, EngineFacts, EngineLoad
from trimtab.serving.model_file import FileFacts, facts_of
from trimtab.serving.probing import ProbePlan, Target, probe
from trimtab.serving.supervisor import EngineState, Supervisor

__all__ = [
    "Adapter",
    "AdapterConfig",
    "Endpoint",
    "Engine",
    "EngineConfig",
    "EngineFacts",
    "EngineKind",
    "EngineLoad",
    "EngineState",
    "FileFacts",
    "ProbePlan",
    "Supervisor",
    "Target",
    "build_engine",
    "check_files",
    "digest_of",
    "facts_of",
    "probe",
]
