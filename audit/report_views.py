"""Reports by page: the list, asking for one, one with its figures and files, its progress, and taking a file away."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.requests import person_of
from audit import actions
from audit.models import READERS, Report, ReportFile
from audit.reading import note_read
from audit.report_forms import ReportForm
from audit.reports import charts
from audit.reports.shape import Chart, Summary
from core import ranges
from core.errors import NarrowgateError
from core.keyset import page_of
from core.streaming import streamed

UNUSABLE = 422
PART = 1 << 18  # bytes read at a time
MEDIA = {
    Report.Format.PDF: "application/pdf",
    Report.Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Report.Format.CSV: "text/csv; charset=utf-8",
    Report.Format.JSONL: "application/jsonl",
    Report.Format.ZIP: "application/zip",
    Report.Format.OCSF: "application/x-ndjson",
}


@require_GET
@login_required
def reports(request: HttpRequest) -> HttpResponse:
    """Reports, the newest first."""
    user = person_of(request, *READERS)
    asked = {name: request.GET.get(name, "").strip()[:20] for name in ("kind", "status")}
    kept = {name: value for name, value in asked.items() if value}
    page = page_of(
        Report.objects.visible_to(user).select_related("asked_by").filter(**kept),
        "asked_at",
        request.GET.get("after", ""),
    )
    note_read(user, "reports", "", kept)
    context = {"page": page, "asked": kept, "kinds": Report.Kind.choices, "states": Report.Status.choices}
    return render(request, "audit/reports/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Ask for a report; an address may fill in what is known."""
    user = person_of(request, *READERS)
    given = {name: request.GET[name][:100] for name in ("kind", "period", "scope", "name") if name in request.GET}
    form = ReportForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        report = form.act(lambda: form.ask(user))
        if report:
            return redirect("record:report", report.id)
    return render(request, "audit/reports/new.html", {"form": form}, status=UNUSABLE if form.errors else 200)


@require_GET
@login_required
def report(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """One report."""
    user = person_of(request, *READERS)
    found = _report(user, report_id)
    note_read(user, "report", str(found.id), {})
    summary = Summary.from_json(found.summary) if found.summary else None
    context = {
        "it": found,
        "files": sorted(found.files.select_related("report"), key=lambda file: Report.Format.values.index(file.format)),
        "summary": summary,
        "charts": [(chart, _drawn(chart)) for chart in summary.charts] if summary else [],
    }
    return render(request, "audit/reports/report.html", context)


@require_GET
@login_required
def progress(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """How far it is; once it is nowhere else to go, the page is loaded again. No read of the record."""
    found = _report(person_of(request, *READERS), report_id)
    if not found.is_unfinished:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "audit/reports/parts/progress.html", {"it": found})


@require_POST
@login_required
def cancel(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """Stop the making."""
    user = person_of(request, *READERS)
    found = _report(user, report_id)
    try:
        actions.cancel(found.id, actor=user)
    except NarrowgateError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Cancelled. Nothing of it is kept.")
    return redirect("record:report", found.id)


@require_POST
@login_required
def take(request: HttpRequest, report_id: UUID, name: str) -> HttpResponseBase:
    """Take a file away. Taking it is an entry."""
    user = person_of(request, *READERS)
    file = file_of(_report(user, report_id), name)
    try:
        actions.note_download(file, actor=user)
    except NarrowgateError as error:
        messages.error(request, str(error))
        return redirect("record:report", report_id)
    return sent(file, request.headers)


def file_of(found: Report, name: str) -> ReportFile:
    """A ready report's file of that format. Raises Http404."""
    files = ReportFile.objects.select_related("report__asked_by")
    return get_object_or_404(files, report=found, format=name, report__status=Report.Status.READY)


def sent(file: ReportFile, headers: Mapping[str, str]) -> HttpResponseBase:
    """The file as it lies, or the part of it that `Range` asks for (RFC 9110), with the hash of all of it beside it (RFC 9530)."""
    entity = f'"{file.sha256}"'
    unchanged = headers.get("If-Range", entity) == entity
    try:
        part = ranges.asked(headers.get("Range", "") if unchanged else "", file.size)
    except ranges.Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    first, end = part or (0, file.size)
    response = streamed(_parts(file, first, end), name=file.download_name, kind=MEDIA[Report.Format(file.format)])
    if part:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
    response["Content-Length"] = str(end - first)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = entity
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:"
    response["Cache-Control"] = "private, no-store"
    return response


def _drawn(chart: Chart) -> SafeString:
    return mark_safe(charts.draw(chart))  # noqa: S308 -- charts escape their texts


def _parts(file: ReportFile, first: int, end: int) -> Iterator[bytes]:
    with file.path.open("rb") as opened:
        opened.seek(first)
        while part := opened.read(min(PART, end - opened.tell())):
            yield part


def _report(user: User, report_id: UUID) -> Report:
    return get_object_or_404(Report.objects.visible_to(user).select_related("asked_by"), id=report_id)
