"""Customers keep what they have counted over every change of their terms."""

from __future__ import annotations

from policy_case import Case, validated


def test_a_plan_that_changes_takes_effect_and_loses_no_count() -> None:
    case = Case(requests="1/h", sessions=1)
    customer = case.customer
    account = customer.account("www.acme.example")
    account.requests, customer.traffic = 7, 1000
    case.change(requests="2/h")
    assert case.customers.get("acme") is customer
    assert customer.account("www.acme.example") is account and account.requests == 7
    assert customer.traffic == 1000 and customer.terms.sessions == {}


def test_customers_may_come_before_their_plans() -> None:
    case = Case(requests="1/s")
    customers = case.customers
    customers.take_customers({"acme": {"plan": "gold"}, "new": {"plan": "gold"}})
    assert case.customer.terms.plan == "bronze", "until the plans have come"
    customers.take_plans({"gold": validated({"requests": "100/s"})})
    assert case.customer.terms.plan == customers.get("new").terms.plan == "gold"
    assert case.customer.terms.rates["requests"].per_second == 100


def test_a_customer_whose_tables_say_the_same_is_left_as_it_is() -> None:
    case = Case(requests="1/h", node_networks="10.0.0.0/8", methods="GET")
    terms = case.customer.terms
    case.change(requests="1/h", node_networks="10.0.0.0/8", methods="GET")
    assert case.customer.terms is terms
    case.change(requests="1/h", node_networks="10.0.0.0/9", methods="GET")
    assert case.customer.terms is not terms


def test_a_customer_that_was_removed_is_served_as_before_until_its_last_exchange() -> None:
    case = Case(requests="1/h")
    case.customers.take_customers({})
    assert not case.customer.is_configured
    assert "requests" in case.customer.terms.rates
    case.change(requests="1/h")
    assert case.customer.is_configured


def test_two_virtualhosts_of_one_customer_have_an_account_each() -> None:
    customer = Case().customer
    one, other = customer.account("a.example"), customer.account("b.example")
    assert one is not other and one.key != other.key and set(customer.accounts.values()) == {one, other}
