"""The web interface: login, vehicles, the gate, and the errors."""

import logging
import threading
import traceback
from functools import wraps

from flask import Flask, abort, jsonify, render_template, request, session
from werkzeug.exceptions import HTTPException

from src.barrier import Barrier
from src.camera import Camera, Recognition
from src.database import Database
from src.integration import NotificationManager, Webhook
from visigate_logging import ErrorHandler, ErrorStore
from visigate_logging.web import create_blueprint

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
logger = logging.getLogger("VisiGate.web")


def login_required(view):
    """Let in who has logged in."""

    @wraps(view)
    def guarded(*args, **kwargs):
        return view(*args, **kwargs) if session.get("user") else abort(401)

    return guarded


def create_app(config):
    """Make the application of a configuration."""
    app = Flask("VisiGate")
    app.root_path, app.secret_key = __file__.rpartition("/")[0], "change me"
    app.jinja_loader.searchpath[:] = [f"{app.root_path}/templates"]
    database, camera, recognition = Database(config["database"]), Camera(config), Recognition(config)
    barrier, mails, webhook = Barrier(config), NotificationManager(config), Webhook(config)
    errors = ErrorHandler(config)
    store = ErrorStore("logs/errors/details.jsonl")
    app.register_blueprint(create_blueprint(store, login_required=login_required, admin_required=login_required))

    @app.post("/login")
    def login():
        session["user"] = request.form["user"]
        return "welcome"

    @app.get("/vehicles/<plate>")
    def vehicle(plate):
        return jsonify(database.get_vehicle(plate))

    @app.post("/vehicles/<plate>")
    def add_vehicle(plate):
        return jsonify(database.add_vehicle(plate, "somebody"))

    @app.get("/statistics")
    def statistics():
        return jsonify(database.get_statistics())

    @app.get("/api/<name>")
    def api(name):
        return jsonify(database.validate_api_key(name))

    @app.post("/arrival")
    def arrival():
        picture = camera.grab()
        if picture is None:
            return "no picture", 503
        recognition.size(picture)
        return jsonify(recognition.read_plate(picture))

    @app.post("/camera/<act>")
    def camera_act(act):
        acts = {"login": camera.login, "archive": camera.archive, "restart": camera.restart_stream}
        return jsonify(camera.save(b"picture") if act == "save" else acts[act]())

    @app.get("/confidence/<text>")
    def confidence(text):
        return jsonify(recognition.confidence(text))

    @app.post("/barrier/<act>")
    def barrier_act(act):
        acts = {"light": lambda: barrier.light(True), "close": barrier.close_after, "check": barrier.check}
        return jsonify(barrier.open(request.args.get("plate")) if act == "open" else acts[act]())

    @app.post("/notify")
    def notify():
        return jsonify(mails.send_email_notification("A vehicle", "has come"))

    @app.post("/webhook")
    def post_webhook():
        return jsonify(webhook.post({"plate": request.args.get("plate")}))

    @app.get("/resolve/<host>")
    def resolve(host):
        return jsonify(bool(webhook.resolve(host)))

    @app.get("/report")
    def report():
        return render_template("report.html")

    @app.get("/status")
    def status():
        return render_template("status.html", gate=None)

    @app.get("/average")
    def average():
        try:
            return str(100 / len(database.get_vehicle("nobody") or []))
        except Exception as e:
            errors.log_error(e, "web.routes", "average")
            return "0"

    @app.get("/settings")
    def settings():
        try:
            return config["ui"]["language"]
        except Exception:
            logger.error(traceback.format_exc())
            return "en"

    @app.get("/permissions")
    def permissions():
        try:
            return str(set(config["server"]) | {["admin"]: 1}.keys())
        except Exception:
            logger.error(f"Error in permissions. Traceback: {traceback.format_exc()}")
            return ""

    @app.get("/crash")
    def crash():
        return config["no such section"]

    @app.post("/background")
    def background():
        thread = threading.Thread(target=lambda: [].pop(), name="cleanup")
        thread.start()
        thread.join()
        return "done"

    @app.errorhandler(404)
    def not_found(e):
        logger.error(f"Page not found: {e}")
        return "not found", 404

    @app.errorhandler(Exception)
    def failed(e):
        if isinstance(e, HTTPException):
            return e
        logger.error(f"Unhandled exception: {e}")
        errors.log_error(e, "web", "error_handler")
        return "internal error", 500

    return app
