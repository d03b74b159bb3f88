from django.db import migrations

# What was due and not sent goes on in the outbox, under the identifier that its mail has had.
MOVE = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO approvals_delivery
    (id, channel, person_id, together, event, body, made_at, due_at, until, status, tries, problem)
SELECT id, 'mail', person_id, false, event, '', at, mail_due_at, mail_due_at + interval '2 days', 'waiting', mail_tries, mail_problem
FROM approvals_notification WHERE mail_due_at IS NOT NULL;
INSERT INTO approvals_delivery_notifications (delivery_id, notification_id)
SELECT id, id FROM approvals_notification WHERE mail_due_at IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0016_one_outbox_for_mail_and_webhooks")]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.RemoveIndex(
            model_name="notification",
            name="notification_mail_due",
        ),
        migrations.RemoveField(
            model_name="notification",
            name="mail_due_at",
        ),
        migrations.RemoveField(
            model_name="notification",
            name="mail_problem",
        ),
        migrations.RemoveField(
            model_name="notification",
            name="mail_sent_at",
        ),
        migrations.RemoveField(
            model_name="notification",
            name="mail_tries",
        ),
    ]
