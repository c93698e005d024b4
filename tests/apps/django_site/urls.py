"""Addresses of the Django project."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from tests.apps.django_site import async_views, views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("notes/", views.notes),
    path("upload/", views.upload),
    path("download/<str:name>", views.download),
    path("stream/<int:number>", views.stream),
    path("names/", views.names),
    path("facts/", views.facts),
    path("fails/", views.fails),
    path("async/size/", async_views.size),
    path("async/ticks/<int:number>", async_views.ticks),
    path("async/hangs/", async_views.hangs),
    path("async/fails/", async_views.fails),
]
